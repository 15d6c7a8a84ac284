// Up to 100 customers: where does it break? Fill the shelves first, or what it measures is how they are empty.
import { sleep } from 'k6';
import { ask, customer, login, thresholds as limits } from './shop.js';

export const options = { startVUs: 0, stages: [
  { duration: '10s', target: 10 }, { duration: '10s', target: 20 }, { duration: '10s', target: 50 },
  { duration: '10s', target: 100 }, { duration: '20s', target: 100 }, { duration: '20s', target: 0 }], thresholds: limits(2000, 5000, 0.50) };

export default function () {
  const one = customer();
  if (one === null) return;
  ask('products', { token: one.token }); sleep(0.3);
  login(one);
  ask('cart_add', { token: one.token, product_id: 'p1', quantity: 1 }); sleep(0.2);
  ask('cart_view', { token: one.token }); sleep(0.2);
  ask('checkout', { token: one.token }); sleep(0.5);
}
