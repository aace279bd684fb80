// The seeds' five phases: users claim the campaign `apply` as fast as they are answered, nobody twice. A run is cut
// into parts of equal length; a request is tagged with the part in which it was sent (`phase`) and counted under
// `apply_PART`, so that the summary shows each part by itself.
//
// `fault` names the part in which somebody breaks something (k6 cannot). A request sent then may be answered 503 with
// Retry-After or 202; so may one sent within RECOVERY_SECONDS of the part's end, which `recovery_ms` measures. Nothing
// else is excused, and no other part is.

import { sleep } from 'k6';
import exec from 'k6/execution';
import http from 'k6/http';
import { Counter, Trend } from 'k6/metrics';
import { gates, guarded, latency, SHOWN } from './gates.js';
import { apply } from './requests.js';
import { expectStatuses } from './settled.js';
import { settings } from './settings.js';
import { chosen, scenario } from './shapes.js';
import { summary, TREND_STATS } from './summary.js';
import { runNumber, userId } from './users.js';

const P95_MS = 500;
const LANE = 0;
/** Until brokers and clients have found each other again. */
const RECOVERY_SECONDS = 10;
/** `ci` runs where unoptimised programs share two cores with k6. */
const THINK_SECONDS = settings.thinkSeconds || (settings.scenario === 'ci' ? 0.1 : 0);

/** 200 or 422 seen. */
const answered = new Counter('claims_answered');
const excused = new Counter('claims_excused');
/** From the end of the fault's part to the sending of a request that was excused after all. */
const recovery = new Trend('recovery_ms');

const EXCUSE = {
  expected: http.expectedStatuses(200, 202, 422, 503),
  fits: ({ status, headers }) => status === 202 || (status === 503 && headers['Retry-After'] !== undefined),
};

function thresholds(parts, names, fault, recoverySeconds) {
  const extra = { errors_coupon_issue: [SHOWN.counter] };
  for (const part of parts) {
    extra[`claims_answered{phase:${part}}`] = [part === fault ? SHOWN.counter : 'count>0'];
  }
  const pieces = settings.couponPieces;
  if (fault === undefined) {
    const sellOut = { 'coupon_won{coupon:apply}': [`count==${pieces}`], http_reqs: [`count>${pieces}`] };
    Object.assign(extra, latency(P95_MS), { http_req_failed: ['rate<0.01'] }, pieces === undefined ? {} : sellOut);
  } else {
    // What was answered 503 may have been won all the same: of the pieces, not all winners need have been told.
    Object.assign(extra, latency(), { http_req_failed: ['rate==0'] });
    Object.assign(extra, pieces === undefined ? {} : { 'coupon_won{coupon:apply}': [`count<=${pieces}`] });
    for (const part of parts) {
      extra[`errors_coupon_issue{phase:${part}}`] = ['count==0'];
      extra[`claims_excused{phase:${part}}`] = [SHOWN.counter];
    }
    extra.recovery_ms = [`max<${1000 * recoverySeconds}`];
  }
  return gates(names, extra);
}

/** What such a script exports. `parts` are the names of its parts. */
export function campaign(script, shapes, { parts, fault }) {
  const shape = chosen(shapes);
  const names = parts.map((part) => `apply_${part}`);
  const partSeconds = shape.seconds / parts.length;
  const faultEnd = (parts.indexOf(fault) + 1) * partSeconds;
  const recoverySeconds = Math.min(RECOVERY_SECONDS, partSeconds / 2);
  let announced;

  function announce(part) {
    if (exec.vu.idInTest === 1 && part !== announced) {
      announced = part;
      console.info(`${script}: ${part}, for ${Math.round(partSeconds)} s`);
    }
  }

  expectStatuses(200, 422);

  const options = {
    scenarios: { claims: scenario(shape) },
    discardResponseBodies: true,
    summaryTrendStats: TREND_STATS,
    thresholds: thresholds(parts, names, fault, recoverySeconds),
  };

  const iteration = guarded(({ run }) => {
    const number = exec.scenario.iterationInTest;
    const elapsed = (Date.now() - exec.scenario.startTime) / 1000;
    const index = Math.min(Math.floor(elapsed / partSeconds), parts.length - 1);
    const phase = parts[index];
    announce(phase);
    const sinceFault = elapsed - faultEnd;
    const troubled = fault !== undefined && (phase === fault || (sinceFault >= 0 && sinceFault < recoverySeconds));
    const read = number % settings.bodyEvery === 0;
    const excuse = troubled ? EXCUSE : undefined;
    const response = apply(userId(run, LANE, number), { read, name: names[index], phase, excuse });
    if (response.answered) {
      answered.add(1, { phase });
    }
    if (!response.excused) {
      sleep(THINK_SECONDS);
      return;
    }
    excused.add(1, { phase });
    if (phase !== fault) {
      recovery.add(1000 * sinceFault);
    }
    sleep(Number(response.headers['Retry-After']) || 1);
  });

  return { options, setup: () => ({ run: runNumber() }), iteration, handleSummary: summary(script, names) };
}
