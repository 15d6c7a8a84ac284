// Five customers for two minutes: what grows, and never shrinks?
import { sleep } from 'k6';
import { ask, customer, login, thresholds as limits } from './shop.js';

export const options = { vus: 5, duration: '2m', thresholds: limits(500, null, 0.05) };

export default function () {
  const one = customer();
  if (one === null) return;
  ask('products', { token: one.token }); sleep(2);
  login(one);
  for (let look = 0; look < 3; look++) { ask('cart_view', { token: one.token }); sleep(1); }
  sleep(3);
}
