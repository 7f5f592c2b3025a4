// A Postgres server for tests: PGlite (Postgres in WebAssembly) behind the wire protocol. PGlite is one session, so
// that the connections take turns: one has it from its first message to the end of its transaction.

import { createServer, type Socket } from "node:net";
import { PGlite } from "@electric-sql/pglite";

const sslRequest = 80877103;

export interface TestPostgres {
  readonly url: string;
  close(): Promise<void>;
}

export async function startPostgres(): Promise<TestPostgres> {
  const database = await PGlite.create();
  const takeTurns = createTurns();
  const sockets = new Set<Socket>();
  const connections: Promise<void>[] = [];
  const server = createServer((socket) => {
    socket.setNoDelay(true); // many small answers, each waited for
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    connections.push(serveConnection(socket, database, takeTurns()));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return {
    url: `postgres://postgres:secret@127.0.0.1:${address.port}/postgres`,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
      await Promise.all(connections);
      await database.close();
    },
  };
}

interface Turn {
  take(): Promise<void>;
  release(): void;
}

function createTurns(): () => Turn {
  let tail: Promise<void> = Promise.resolve();
  return () => {
    let end: (() => void) | undefined;
    return {
      take: async () => {
        if (end) return;
        const before = tail;
        let finish = (): void => {};
        tail = new Promise((resolve) => {
          finish = resolve;
        });
        end = finish;
        await before;
      },
      release: () => {
        end?.();
        end = undefined;
      },
    };
  };
}

/** Settles when the client is gone and what it left open is rolled back. */
function serveConnection(socket: Socket, database: PGlite, turn: Turn): Promise<void> {
  let waiting = Buffer.alloc(0);
  let hasStarted = false;
  let work: Promise<void> = Promise.resolve();
  let isOpen = true;

  const execute = async (message: Uint8Array, isEnd: boolean): Promise<void> => {
    await turn.take();
    const answer = await database.execProtocolRaw(message);
    if (isOpen && answer.length > 0) socket.write(answer);
    // ReadyForQuery ends every answer; its last byte is I when no transaction is open.
    if (isEnd && answer.at(-1) === 0x49) turn.release();
  };
  const handle = (message: Buffer): void => {
    const kind = hasStarted ? String.fromCharCode(message[0]) : "startup";
    if (!hasStarted && message.readInt32BE(4) === sslRequest) {
      socket.write("N");
      return;
    }
    hasStarted = true;
    if (kind === "X") {
      socket.end();
      return;
    }
    work = work.then(() => execute(message, kind === "startup" || kind === "Q" || kind === "S"));
    work = work.catch(() => void socket.destroy());
  };
  socket.on("data", (data) => {
    waiting = Buffer.concat([waiting, data]);
    for (;;) {
      const header = hasStarted ? 1 : 0;
      if (waiting.length < header + 4) return;
      const length = header + waiting.readInt32BE(header);
      if (waiting.length < length) return;
      handle(waiting.subarray(0, length));
      waiting = waiting.subarray(length);
    }
  });
  socket.on("error", () => {});
  return new Promise((resolve, reject) => {
    socket.on("close", () => {
      isOpen = false;
      const leave = async (): Promise<void> => {
        await turn.take();
        await database.exec("rollback"); // what the client left open
        turn.release();
      };
      work.then(leave).then(resolve, reject);
    });
  });
}
