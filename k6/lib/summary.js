// What a run leaves behind: a table on stdout and, where SUMMARY_FILE names one, the same as JSON (shape: README.md).
// Reads k6's end-of-test data only; decides nothing.

import { STATUSES } from './gates.js';
import { settings } from './settings.js';
import { table } from './table.js';

export const TREND_STATS = ['p(50)', 'p(55)', 'p(95)', 'p(99)', 'max'];

const BUILT_IN = /^(http_req|iteration|data_|vus|checks|group_|dropped_|socket_errors|http_5xx|script_errors)/;
const ONLY_SHOWN = />=0$/;

const rounded = (value) => Math.round(value * 1000) / 1000;

function count(metrics, name) {
  return metrics[name] === undefined ? 0 : metrics[name].values.count;
}

/** All null where there was no request: k6 itself says 0 then. */
function percentiles(metric, requests) {
  const values = metric === undefined ? {} : metric.values;
  const of = (stat) => (requests === 0 || values[stat] === undefined ? null : rounded(values[stat]));
  return { p50: of('p(50)'), p55: of('p(55)'), p95: of('p(95)'), p99: of('p(99)'), max: of('max') };
}

function endpoint(metrics, name) {
  const requests = count(metrics, `http_reqs{name:${name}}`);
  const status = {};
  let known = 0;
  for (const code of STATUSES) {
    const seen = count(metrics, `http_reqs{name:${name},status:${code}}`);
    known += seen;
    if (seen > 0) {
      status[code] = seen;
    }
  }
  if (requests > known) {
    status.other = requests - known;
  }
  return { requests, status, latency_ms: percentiles(metrics[`http_req_duration{name:${name}}`], requests) };
}

function custom(metrics) {
  const result = {};
  for (const name of Object.keys(metrics).sort()) {
    const { type, values } = metrics[name];
    if (BUILT_IN.test(name)) {
      continue;
    }
    if (type === 'counter') {
      result[name] = values.count;
    } else if (type === 'rate') {
      const total = values.passes + values.fails;
      result[name] = { rate: total === 0 ? null : rounded(values.rate), yes: values.passes, no: values.fails };
    } else {
      result[name] = percentiles(metrics[name]);
    }
  }
  return result;
}

function checks(group) {
  const all = group.checks.concat();
  const result = { passes: 0, fails: 0, failed: {} };
  for (const { name, passes, fails } of all) {
    result.passes += passes;
    result.fails += fails;
    if (fails > 0) {
      result.failed[name] = fails;
    }
  }
  for (const inner of group.groups.map(checks)) {
    result.passes += inner.passes;
    result.fails += inner.fails;
    Object.assign(result.failed, inner.failed);
  }
  return result;
}

function thresholds(metrics) {
  const result = {};
  for (const name of Object.keys(metrics).sort()) {
    for (const [expression, { ok }] of Object.entries(metrics[name].thresholds || {})) {
      if (!ONLY_SHOWN.test(expression)) {
        result[`${name} ${expression}`] = ok;
      }
    }
  }
  return result;
}

function report(script, endpoints, scenario, data) {
  const { metrics } = data;
  const seconds = data.state.testRunDurationMs / 1000;
  const gates = thresholds(metrics);
  const requests = count(metrics, 'http_reqs');
  return {
    script,
    scenario,
    target: settings.targetUrl,
    run: (data.setup_data || {}).run || null,
    passed: Object.values(gates).every((ok) => ok),
    seconds: rounded(seconds),
    requests,
    requests_per_second: rounded(requests / seconds),
    iterations: count(metrics, 'iterations'),
    http_5xx: count(metrics, 'http_5xx'),
    dropped_iterations: count(metrics, 'dropped_iterations'),
    socket_errors: count(metrics, 'socket_errors'),
    script_errors: count(metrics, 'script_errors'),
    latency_ms: percentiles(metrics.http_req_duration, requests),
    endpoints: Object.fromEntries(endpoints.map((name) => [name, endpoint(metrics, name)])),
    custom: custom(metrics),
    checks: checks(data.root_group),
    thresholds: gates,
  };
}

/** A script's `handleSummary`. */
export function summary(script, endpoints, scenario = settings.scenario) {
  return (data) => {
    const result = report(script, endpoints, scenario, data);
    const outputs = { stdout: table(result) };
    if (settings.summaryFile !== undefined) {
      outputs[settings.summaryFile] = `${JSON.stringify(result, null, 2)}\n`;
    }
    return outputs;
  };
}
