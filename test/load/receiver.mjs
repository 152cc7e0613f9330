// A receiver in a process of its own. Child of the bench: counts what comes, notes when, answers 204 (or hangs, for paths that say so). On bare
// sockets, since the machine that it takes is taken from what it measures.
// Messages in: {ask:'count'|'reset'|'arrivals'}; out: {count, firm, arrivals?}; 'firm' counts the paths that begin so. An arrival is [subject, nanoseconds of the monotonic clock, path].
import { createServer } from 'node:net';

let count = 0;
let perPath = {};
let arrivals = [];
let noting = false;
let hangs = false;
let firm = 0;

const ANSWER = 'HTTP/1.1 204 No Content\r\n\r\n';

const server = createServer({ noDelay: true }, (socket) => {
  let received = '';
  socket.setEncoding('latin1');
  socket.on('error', () => socket.destroy());
  socket.on('data', (chunk) => {
    received = received === '' ? chunk : received + chunk;
    for (;;) {
      const end = received.indexOf('\r\n\r\n');
      if (end < 0) return;
      const head = received.slice(0, end);
      const length = Number(/\r\ncontent-length: *(\d+)/i.exec(head)?.[1] ?? 0);
      if (received.length < end + 4 + length) return;
      const body = received.slice(end + 4, end + 4 + length);
      received = received.slice(end + 4 + length);
      take(socket, head.split(' ', 2)[1], body);
    }
  });
});

function take(socket, path, body) {
  if (path.startsWith('/hang') || (hangs && path.startsWith('/fickle'))) return;
  count++;
  if (path.startsWith('/firm')) firm++;
  perPath[path] = (perPath[path] ?? 0) + 1;
  if (noting) arrivals.push([/"postId":"([^"]+)"/.exec(body)?.[1], Number(process.hrtime.bigint()), path]);
  socket.write(ANSWER);
}

server.listen(0, '127.0.0.1', () => process.send({ port: server.address().port }));

process.on('message', ({ ask, note, hangs: wanted }) => {
  if (note !== undefined) noting = note;
  if (ask === 'hang') hangs = wanted;
  if (ask === 'reset') [count, firm, perPath, arrivals] = [0, 0, {}, []];
  process.send({ count, firm, perPath, rss: process.memoryUsage().rss, ...(ask === 'arrivals' && { arrivals }) });
});
process.on('disconnect', () => process.exit(0));
