// From nobody to 50 customers within ten seconds.
import { sleep } from 'k6';
import { ask, customer, login, thresholds as limits } from './shop.js';

export const options = { startVUs: 0, stages: [
  { duration: '5s', target: 0 }, { duration: '10s', target: 50 }, { duration: '20s', target: 50 },
  { duration: '10s', target: 0 }], thresholds: limits(1000, 2000, 0.20) };

export default function () {
  const one = customer();
  if (one === null) return;
  ask('products', { token: one.token }); sleep(0.5);
  login(one); sleep(0.5);
}
