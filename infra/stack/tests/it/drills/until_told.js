// The production scenario until it is told to stop (load_gate.rs): k6 itself only ends by the clock, or by cutting off
// what is under way. Its endpoints are counted as ever; the two questions to the test are none of them.

import http from 'k6/http';
import iteration, { handleSummary, options, setup } from '../../../../../k6/production-operation.scenario.script.js';

const QUESTION = { responseType: 'text', tags: { name: 'gate' } };

export { handleSummary, options, setup };

export default function untilTold(data) {
  if (http.get(`${__ENV.LOAD_GATE_URL}/begin`, QUESTION).body === 'stop') {
    return;
  }
  try {
    iteration(data);
  } finally {
    http.get(`${__ENV.LOAD_GATE_URL}/end`, QUESTION);
  }
}
