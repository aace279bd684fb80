// User ids for stage mode that no other VU, scenario or run uses, without asking anybody.
//
//   id = (run number * 8 + lane) * 2^24 + iteration        always below 2^53
//
// The run number (26 bits, never 0, so ids start at 2^27: above any user that signed up on a test machine) is
// RUN_ID, or the second of the start; it wraps after 776 days. Two k6 processes started in the same second need
// different RUN_IDs. A lane is one scenario of a script; `iteration` is k6's iterationInTest, unique in a scenario.

import { settings } from './settings.js';

const ITERATIONS_PER_LANE = 2 ** 24;
const LANES = 8;
const RUNS = 2 ** 26;

function fnv1a(text) {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  }
  return hash >>> 0;
}

/** The number of this run. Call it once, in setup(): every VU must get the same one. */
export function runNumber() {
  const name = settings.runId === undefined ? String(Math.floor(Date.now() / 1000)) : settings.runId;
  const number = /^[0-9]{1,15}$/.test(name) ? Number(name) : fnv1a(name);
  return 1 + (number % (RUNS - 1));
}

/** The user of this iteration. */
export function userId(run, lane, iteration) {
  if (!(lane >= 0 && lane < LANES) || !(iteration >= 0 && iteration < ITERATIONS_PER_LANE)) {
    throw new Error(`no user id for lane ${lane}, iteration ${iteration}: a run has ${LANES} lanes of 2^24`);
  }
  return (run * LANES + lane) * ITERATIONS_PER_LANE + iteration;
}
