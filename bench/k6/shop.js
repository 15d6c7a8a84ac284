// What every script of this folder does: ask the shop through Troupe's gateway, and wait for the answer.
//   k6 run -e GATEWAY=http://127.0.0.1:8080 bench/k6/normal.js        (TROUPE_API_KEY where the gateway asks for one)
import http from 'k6/http';
import { check, sleep } from 'k6';
import { Rate, Trend } from 'k6/metrics';
import exec from 'k6/execution';

const gateway = __ENV.GATEWAY || 'http://127.0.0.1:8080';
const signedIn = ['auth-service', 'db-service', 'product-service'];
const routes = {
  signup: ['auth-service'], login: ['auth-service'], products: signedIn, cart_view: signedIn, cart_add: signedIn,
  cart_clear: signedIn, checkout: ['auth-service', 'db-service', 'payment-service', 'db-service'],
};
const headers = { 'Content-Type': 'application/json' };
if (__ENV.TROUPE_API_KEY) headers.Authorization = `Bearer ${__ENV.TROUPE_API_KEY}`;

// One request is two calls, so k6's own http_req_duration would measure the wrong thing.
const duration = new Trend('shop_duration', true);
const failed = new Rate('shop_failed');
export const thresholds = (p95, p99, share) => ({
  shop_duration: [`p(95)<${p95}`, ...(p99 ? [`p(99)<${p99}`] : [])], shop_failed: [`rate<${share}`],
});

export function ask(operation, request, isMeasured = true) {
  const begin = Date.now();
  const body = JSON.stringify({ route: { actors: routes[operation] }, payload: { operation, ...request } });
  const accepted = http.post(`${gateway}/envelopes`, body, { headers, tags: { name: 'submit' } });
  let answer = null;
  if (accepted.status === 202) {
    const id = encodeURIComponent(accepted.json('id'));
    const ended = http.get(`${gateway}/envelopes/${id}/result?wait=30s`, {
      headers, tags: { name: 'result' }, timeout: '35s', responseCallback: http.expectedStatuses(200, 409) });
    answer = ended.status === 200 ? ended.json() : null;
  }
  const isGood = check(answer, { [operation]: (one) => one !== null && one.error === undefined });
  if (isMeasured) {
    duration.add(Date.now() - begin);
    failed.add(!isGood);
  }
  return isGood ? answer : null;
}

// Each virtual user has an account of its own, made before its first journey.
let account = null;
export function customer() {
  if (account === null) {
    const email = `k6-${Date.now()}-${exec.vu.idInTest}@load.example`;
    const made = ask('signup', { email, password: 'load-test-password' }, false);
    if (made === null) { sleep(1); return null; }
    account = { email, password: 'load-test-password', token: made.access_token };
  }
  return account;
}

export function login(one) {
  const answer = ask('login', { email: one.email, password: one.password });
  if (answer !== null) one.token = answer.access_token;
}
