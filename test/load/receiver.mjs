// A receiver in a process of its own. Child of the bench: counts what comes, notes when, answers 204 (or hangs, for paths that say so).
// Messages in: {ask:'count'|'reset'|'arrivals'}; out: {count, firm, arrivals?}; 'firm' counts the paths that begin so. An arrival is [subject, nanoseconds of the monotonic clock, path].
import { createServer } from 'node:http';

let count = 0;
let perPath = {};
let arrivals = [];
let noting = false;
let hangs = false;
let firm = 0;

const server = createServer((request, response) => {
  const path = request.url;
  if (path.startsWith('/hang') || (hangs && path.startsWith('/fickle'))) {
    request.resume();
    return;
  }
  const chunks = noting ? [] : undefined;
  if (noting) request.on('data', (chunk) => chunks.push(chunk));
  else request.resume();
  request.on('end', () => {
    count++;
    if (path.startsWith('/firm')) firm++;
    perPath[path] = (perPath[path] ?? 0) + 1;
    if (noting)
      arrivals.push([
        /"postId":"([^"]+)"/.exec(Buffer.concat(chunks).toString('latin1'))?.[1],
        Number(process.hrtime.bigint()),
        path,
      ]);
    response.writeHead(204);
    response.end();
  });
});
server.keepAliveTimeout = 60_000;
server.listen(0, '127.0.0.1', () => process.send({ port: server.address().port }));

process.on('message', ({ ask, note, hangs: wanted }) => {
  if (note !== undefined) noting = note;
  if (ask === 'hang') hangs = wanted;
  if (ask === 'reset') [count, firm, perPath, arrivals] = [0, 0, {}, []];
  process.send({ count, firm, perPath, rss: process.memoryUsage().rss, ...(ask === 'arrivals' && { arrivals }) });
});
process.on('disconnect', () => process.exit(0));
