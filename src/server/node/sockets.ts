// WebSockets on /v1/responses. Owns the handshake, pings, and the two bounds of a socket: how much it may send at once,
// and how much may wait to be read from it.

import { type Server as HttpServer, type IncomingMessage, STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";
import { type RawData, type WebSocket, WebSocketServer } from "ws";
import type { Server } from "../create-server.ts";
import { errorResponse, HttpError } from "../errors.ts";
import { defaultLimits } from "../limits.ts";
import type { SocketPeer, SocketSession } from "../socket.ts";

export interface Sockets {
  close(): void;
}

const path = "/v1/responses";
const pingEveryMs = 30_000;
/** More than this unread: the session waits. */
const maxBufferedBytes = 1_000_000;

const closeCodes = { goingAway: 1001, unsupported: 1003 } as const;

export function acceptSockets(http: HttpServer, server: Server): Sockets {
  const wss = new WebSocketServer({
    noServer: true,
    maxPayload: defaultLimits.bodyBytes,
    perMessageDeflate: false,
  });
  http.on("upgrade", (incoming, socket, head) => {
    socket.on("error", () => socket.destroy()); // a client that leaves during the handshake
    void shake(incoming).then((answer) => {
      if (answer instanceof Response) return refuse(socket, answer);
      wss.handleUpgrade(incoming, socket, head, (webSocket) => attach(webSocket, answer));
    });
  });

  async function shake(incoming: IncomingMessage) {
    let request: Request | undefined;
    try {
      request = requestOf(incoming);
    } catch {
      // A Host with credentials, or a header that fetch does not know: no request, and nobody else's trouble.
      return errorResponse(new HttpError(400, { code: "bad_request", message: "This is no valid request." }));
    }
    if (!request || new URL(request.url).pathname !== path) {
      const message = `There is no WebSocket at this address; ${path} has one.`;
      return errorResponse(new HttpError(404, { code: "unknown_url", message }));
    }
    return server.connect(request);
  }

  return {
    close() {
      for (const webSocket of wss.clients) webSocket.close(closeCodes.goingAway, "the server is stopping");
      wss.close();
      setTimeout(() => {
        for (const webSocket of wss.clients) webSocket.terminate();
      }, 1000).unref();
    },
  };
}

function requestOf({ headers, url = "/" }: IncomingMessage): Request | undefined {
  const target = `http://${headers.host ?? "localhost"}${url}`;
  if (!URL.canParse(target)) return undefined;
  const pairs = Object.entries(headers).flatMap(([name, value]): [string, string][] =>
    value === undefined ? [] : [[name, Array.isArray(value) ? value.join(", ") : value]],
  );
  return new Request(target, { headers: pairs });
}

function refuse(socket: Duplex, response: Response): void {
  const head = [`HTTP/1.1 ${response.status} ${STATUS_CODES[response.status] ?? ""}`, "connection: close"];
  for (const [name, value] of response.headers) head.push(`${name}: ${value}`);
  void response.text().then((body) => {
    socket.end(`${head.join("\r\n")}\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
  });
}

function attach(webSocket: WebSocket, begin: (peer: SocketPeer) => SocketSession): void {
  const session = begin({
    send: (text) =>
      new Promise((resolve) => {
        if (webSocket.readyState !== webSocket.OPEN) return resolve();
        // Called with an error when the client has left, which `close` tells of.
        webSocket.send(text, () => resolve());
        if (webSocket.bufferedAmount < maxBufferedBytes) resolve();
      }),
    close: (code, reason) => webSocket.close(code, reason),
  });
  let isAlive = true;
  const ping = setInterval(() => {
    if (!isAlive) return webSocket.terminate();
    isAlive = false;
    webSocket.ping();
  }, pingEveryMs);
  webSocket.on("pong", () => {
    isAlive = true;
  });
  webSocket.on("message", (data: RawData, isBinary: boolean) => {
    isAlive = true;
    if (isBinary) return webSocket.close(closeCodes.unsupported, "text messages only");
    session.receive(data.toString());
  });
  webSocket.on("error", () => webSocket.terminate()); // such as a message that is too large
  webSocket.on("close", () => {
    clearInterval(ping);
    session.closed();
  });
}
