// A usual day: 10 customers for half a minute.
import { sleep } from 'k6';
import { ask, customer, login, thresholds as limits } from './shop.js';

export const options = { vus: 10, duration: '30s', thresholds: limits(500, 1000, 0.10) };

export default function () {
  const one = customer();
  if (one === null) return;
  ask('products', { token: one.token }); sleep(1);
  login(one); sleep(1);
  ask('cart_view', { token: one.token }); sleep(1);
  ask('cart_add', { token: one.token, product_id: 'p1', quantity: 1 }); sleep(1);
  ask('cart_clear', { token: one.token });
}
