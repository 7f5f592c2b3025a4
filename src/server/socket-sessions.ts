// WebSockets that are open: who may open one, that each message counts as a request, and that all end with the server.

import { type CallRecord, openCall } from "./call.ts";
import type { Call, ServerContext } from "./context.ts";
import { errorObject, errorResponse, HttpError, toHttpError } from "./errors.ts";
import type { Gate } from "./gate.ts";
import type { SocketPeer, SocketSession } from "./socket.ts";

export interface SocketSessionsOptions {
  readonly context: ServerContext;
  readonly gate: Gate;
  readonly open: (call: Call, peer: SocketPeer) => SocketSession;
}

export interface SocketSessions {
  /** A refusal, or the function that begins the session. */
  connect(request: Request): Promise<Response | ((peer: SocketPeer) => SocketSession)>;
  close(): void;
}

/** As OpenAI's, which clients expect. */
const socketMs = 3_600_000;
const normalClosure = 1000;
const tooOld = new HttpError(400, {
  code: "websocket_connection_limit_reached",
  message: "A connection lasts 60 minutes. Open a new one to continue.",
});

export function createSocketSessions({ context, gate, open }: SocketSessionsOptions): SocketSessions {
  const sessions = new Set<SocketSession>();

  function begin(record: CallRecord, peer: SocketPeer): SocketSession {
    const { call } = record;
    const session = open(call, peer);
    const tell = (error: HttpError): Promise<void> =>
      peer.send(JSON.stringify({ type: "error", status: error.status, error: errorObject(error) }));
    sessions.add(session);
    call.signal.addEventListener("abort", () => {
      if (call.signal.reason !== tooOld) return;
      void tell(tooOld).then(() => peer.close(normalClosure, tooOld.code));
    });
    context.log({
      level: "info",
      event: "socket opened",
      requestId: call.id,
      ...(call.key && { key: call.key }),
    });
    return {
      receive(text) {
        try {
          gate.count(call.key);
        } catch (error) {
          void tell(toHttpError(error));
          return;
        }
        session.receive(text);
      },
      closed() {
        sessions.delete(session);
        call.leave();
        session.closed();
        context.log({ level: "info", event: "socket closed", requestId: call.id });
      },
    };
  }

  return {
    async connect(request) {
      const record = openCall({ request, context, timeout: { ms: socketMs, error: () => tooOld } });
      try {
        record.key = await gate.enter(request, true);
      } catch (error) {
        return errorResponse(toHttpError(error));
      }
      return (peer) => begin(record, peer);
    },
    close() {
      for (const session of sessions) session.closed();
    },
  };
}
