// The summary as text, for people. Pure: a report in, lines out.

const NAME_WIDTH = 44;

const padded = (cells, widths) => cells.map((cell, i) => String(cell).padEnd(widths[i])).join('').trimEnd();

const number = (value) => (value === null ? '-' : value.toFixed(1));

function endpointLines(endpoints) {
  const widths = [20, 10, 9, 9, 9, 9, 10, 0];
  const head = padded(['endpoint, ms', 'requests', 'p50', 'p55', 'p95', 'p99', 'max', 'by status'], widths);
  const lines = Object.entries(endpoints).map(([name, { requests, status, latency_ms: ms }]) => {
    const byStatus = Object.entries(status).map(([code, seen]) => `${code}: ${seen}`).join(', ');
    const cells = [name, requests, number(ms.p50), number(ms.p55), number(ms.p95), number(ms.p99), number(ms.max)];
    return padded([...cells, byStatus], widths);
  });
  return [head, ...lines];
}

function customLines(custom) {
  return Object.entries(custom).map(([name, value]) => {
    if (typeof value === 'number') {
      return `${name.padEnd(NAME_WIDTH)} ${value}`;
    }
    if (value.yes !== undefined) {
      const rate = value.rate === null ? 'none counted' : `${(100 * value.rate).toFixed(1)} %`;
      return `${name.padEnd(NAME_WIDTH)} ${rate} (${value.yes} yes, ${value.no} no)`;
    }
    return `${name.padEnd(NAME_WIDTH)} p50 ${number(value.p50)}  p95 ${number(value.p95)}  p99 ${number(value.p99)}`;
  });
}

function gateLines(report) {
  const broken = Object.entries(report.thresholds).filter(([, ok]) => !ok).map(([gate]) => `BROKEN  ${gate}`);
  const wrong = Object.entries(report.checks.failed).map(([name, fails]) => `WRONG   ${name} (${fails} times)`);
  return [...broken, ...wrong];
}

export function table(report) {
  const { latency_ms: ms } = report;
  const lines = [
    '',
    `${report.script}  SCENARIO=${report.scenario}  ${report.target}  run ${report.run === null ? '-' : report.run}`,
    '',
    `requests ${report.requests} in ${number(report.seconds)} s (${number(report.requests_per_second)}/s)`
      + `   p50 ${number(ms.p50)}  p55 ${number(ms.p55)}  p95 ${number(ms.p95)}  p99 ${number(ms.p99)} ms`,
    `http_5xx ${report.http_5xx}   socket_errors ${report.socket_errors}   dropped_iterations `
      + `${report.dropped_iterations}   script_errors ${report.script_errors}   `
      + `checks ${report.checks.passes} right, ${report.checks.fails} wrong`,
    '',
    ...endpointLines(report.endpoints),
    '',
    ...customLines(report.custom),
    '',
    ...gateLines(report),
    report.passed ? 'PASSED: every gate held' : 'FAILED',
    '',
  ];
  return `${lines.join('\n')}\n`;
}
