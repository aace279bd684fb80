// Shapes of load. Open models (arrival rates) unless a document asked for a number of users; all VUs are allocated
// before the start, because k6 drops iterations while it makes new ones. RATE, DURATION and VUS rescale a shape.

import { seconds, settings } from './settings.js';
import { REQUEST_TIMEOUT_SECONDS } from './target.js';

/** So that a request at the very end is answered or times out, and is counted either way. */
const GRACEFUL_STOP = `${2 * REQUEST_TIMEOUT_SECONDS + 5}s`;

/** `rate` iterations per second for `duration`. */
export function constant(rate, duration, vus) {
  return { kind: 'constant', rate, seconds: seconds(duration), vus };
}

/** From `startRate` linearly through `stages` of [duration, target rate]. */
export function ramping(startRate, stages, vus) {
  const parsed = stages.map(([duration, rate]) => ({ seconds: seconds(duration), rate }));
  return { kind: 'ramping', startRate, stages: parsed, vus };
}

/** `vus` users that share so many iterations, within `duration`. */
export function shared(vus, iterations, duration) {
  return { kind: 'shared', iterations, seconds: seconds(duration), vus };
}

/** From `startVus` users linearly through `stages` of [duration, users]. */
export function crowd(startVus, stages) {
  const parsed = stages.map(([duration, vus]) => ({ seconds: seconds(duration), vus }));
  const vus = Math.max(startVus, ...parsed.map((stage) => stage.vus));
  return { kind: 'crowd', startVus, stages: parsed, seconds: parsed.reduce((sum, s) => sum + s.seconds, 0), vus };
}

/** Numbers of users one after the other, each for `duration`, of which the first second is the way there. */
export function levels(users, duration) {
  const rest = `${seconds(duration) - 1}s`;
  return crowd(users[0], users.flatMap((vus) => [['1s', vus], [rest, vus]]));
}

/** `vus` users, each starting anew as soon as it is answered. */
export function closed(vus, duration) {
  return { kind: 'closed', seconds: seconds(duration), vus };
}

function scaledRamp(shape) {
  const top = Math.max(...shape.stages.map((stage) => stage.rate));
  const total = shape.stages.reduce((sum, stage) => sum + stage.seconds, 0);
  const rateFactor = (settings.rate || top) / top;
  const timeFactor = (settings.durationSeconds || total) / total;
  return {
    ...shape,
    startRate: Math.round(shape.startRate * rateFactor),
    stages: shape.stages.map((stage) => ({
      seconds: stage.seconds * timeFactor,
      rate: Math.max(1, Math.round(stage.rate * rateFactor)),
    })),
    vus: settings.vus || Math.ceil(shape.vus * Math.max(1, rateFactor)),
  };
}

function scaledCrowd(shape) {
  const userFactor = (settings.vus || shape.vus) / shape.vus;
  const timeFactor = (settings.durationSeconds || shape.seconds) / shape.seconds;
  const users = (vus) => (vus === 0 ? 0 : Math.max(1, Math.round(vus * userFactor)));
  return {
    ...shape,
    startVus: users(shape.startVus),
    stages: shape.stages.map((stage) => ({ seconds: stage.seconds * timeFactor, vus: users(stage.vus) })),
    seconds: shape.seconds * timeFactor,
    vus: users(shape.vus),
  };
}

function scaled(shape) {
  if (shape.kind === 'ramping') {
    return scaledRamp(shape);
  }
  if (shape.kind === 'crowd') {
    return scaledCrowd(shape);
  }
  const rate = settings.rate || shape.rate;
  const factor = shape.kind === 'constant' ? Math.max(1, rate / shape.rate) : 1;
  return {
    ...shape,
    rate,
    seconds: settings.durationSeconds || shape.seconds,
    vus: settings.vus || Math.ceil(shape.vus * factor),
  };
}

/** The shape that SCENARIO names, rescaled. */
export function chosen(shapes) {
  const shape = shapes[settings.scenario];
  if (shape === undefined) {
    throw new Error(`SCENARIO=${settings.scenario}: this script has ${Object.keys(shapes).join(', ')}`);
  }
  return scaled(shape);
}

/** Iterations the shape will start; undefined where the server's speed decides. */
export function planned(shape) {
  if (shape.kind === 'closed' || shape.kind === 'crowd') {
    return undefined;
  }
  if (shape.kind === 'shared') {
    return shape.iterations;
  }
  if (shape.kind === 'constant') {
    return Math.round(shape.rate * shape.seconds);
  }
  let from = shape.startRate;
  return Math.round(shape.stages.reduce((sum, stage) => {
    const area = ((from + stage.rate) / 2) * stage.seconds;
    from = stage.rate;
    return sum + area;
  }, 0));
}

const milliseconds = (value) => `${Math.round(value * 1000)}ms`;

/** As k6 wants it. */
export function scenario(shape, extra = {}) {
  const always = { gracefulStop: GRACEFUL_STOP, ...extra };
  if (shape.kind === 'closed') {
    return { executor: 'constant-vus', vus: shape.vus, duration: milliseconds(shape.seconds), ...always };
  }
  if (shape.kind === 'shared') {
    const { vus, iterations } = shape;
    return { executor: 'shared-iterations', vus, iterations, maxDuration: milliseconds(shape.seconds), ...always };
  }
  if (shape.kind === 'crowd') {
    const stages = shape.stages.map((stage) => ({ duration: milliseconds(stage.seconds), target: stage.vus }));
    const { startVus } = shape;
    return { executor: 'ramping-vus', startVUs: startVus, stages, gracefulRampDown: GRACEFUL_STOP, ...always };
  }
  const arrivals = { timeUnit: '1s', preAllocatedVUs: shape.vus, maxVUs: shape.vus, ...always };
  if (shape.kind === 'constant') {
    return { executor: 'constant-arrival-rate', rate: shape.rate, duration: milliseconds(shape.seconds), ...arrivals };
  }
  return {
    executor: 'ramping-arrival-rate',
    startRate: shape.startRate,
    stages: shape.stages.map((stage) => ({ duration: milliseconds(stage.seconds), target: stage.rate })),
    ...arrivals,
  };
}
