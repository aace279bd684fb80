// Many charge one user's balance at once, the seeds' `lock.balance-charge`. There a distributed lock put them in a row;
// here the log does. A balance read after a charge is never below what the charge said, and at the end the sum fits
// to the last unit. Stage mode; a fresh user per run, whom nobody else charges.

import { check } from 'k6';
import exec from 'k6/execution';
import http from 'k6/http';
import { Counter, Rate } from 'k6/metrics';
import { checkBalance, checkError } from './lib/answers.js';
import { gates, guarded, latency, observed } from './lib/gates.js';
import { expectStatuses, settled } from './lib/settled.js';
import { settings } from './lib/settings.js';
import { chosen, closed, ramping, scenario } from './lib/shapes.js';
import { summary, TREND_STATS } from './lib/summary.js';
import { params, target } from './lib/target.js';
import { runNumber, userId } from './lib/users.js';

const SHAPES = {
  ci: closed(20, '10s'),
  load: closed(100, '30s'),
  peak: ramping(10, [['10s', 1000], ['60s', 1000]], 500),
  endurance: closed(50, '10m'),
};
const ENDPOINTS = ['charge', 'balance'];
const P95_MS = 500;
/** The lane of user ids that no other script uses. */
const LANE = 7;
/** What one charge may bring, so that a lost and a doubled one do not cancel out. */
const AMOUNTS = [1, 10, 100, 1000];

const charged = new Rate('success_charge_rate');
/** A read that showed less than a charge that had been answered before it was sent. */
const regressions = new Counter('balance_regressions');
/** Charged minus what the balance grew by: 0 at the end. */
const unaccounted = new Counter('balance_unaccounted');

expectStatuses(200);

export const options = {
  scenarios: { charges: scenario(chosen(SHAPES)) },
  summaryTrendStats: TREND_STATS,
  thresholds: gates(ENDPOINTS, {
    ...latency(P95_MS),
    http_req_failed: ['rate==0'],
    success_charge_rate: ['rate==1'],
    balance_regressions: ['count==0'],
    balance_unaccounted: ['count==0'],
    'http_reqs{name:charge,status:200}': ['count>0'],
  }),
};

const path = (user) => target(`/api/users/${user}/balance`);

function balance(user) {
  const response = observed(http.get(path(user), params('balance')));
  return response.status === 200 ? checkBalance(response, user).balance : undefined;
}

export function setup() {
  const user = userId(runNumber(), LANE, 0);
  const opening = balance(user);
  if (opening === undefined) {
    exec.test.abort(`no balance of user ${user}: is the server in stage mode?`);
  }
  return { user, opening };
}

export default guarded(({ user }) => {
  const amount = AMOUNTS[exec.scenario.iterationInTest % AMOUNTS.length];
  const response = settled(observed(http.patch(path(user), JSON.stringify({ amount }), params('charge'))));
  const success = response.status === 200;
  charged.add(success);
  if (!success) {
    if (response.status !== 0 && response.status !== 202) {
      checkError(response);
    }
    return;
  }
  unaccounted.add(amount);
  const after = checkBalance(response, user).balance;
  const seen = balance(user);
  if (!(seen >= after)) {
    regressions.add(1);
    console.error(`a balance of ${seen} after a charge to ${after}`);
  }
});

export function teardown({ user, opening }) {
  const grown = balance(user) - opening;
  check(grown, { 'balance: it grew': (units) => units > 0 });
  unaccounted.add(-grown);
}

export const handleSummary = summary('lock.balance-charge.script.js', ENDPOINTS);
