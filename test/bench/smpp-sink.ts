/** The other end of smpp-codec.ts: answers every submit_sm at once, in a process of its own. */
import { createServer } from 'node:net';
import { ServerSession } from '../../lib/smpp/server-session.ts';

const server = createServer((socket) => {
  let id = 0;
  const session = new ServerSession<never>(socket, {
    onBind: () => 0,
    onSubmit: (view) => session.answerSubmit(view.sequenceNumber, 0, `a${(id++).toString(16)}`),
  });
});
server.listen(0, '127.0.0.1', () => {
  process.send?.((server.address() as { port: number }).port);
});
process.on('disconnect', () => process.exit(0));
