// A WebSocket as a session sees it: text in, text out. The transport (server/node) knows frames and sockets.

export interface SocketPeer {
  /** Resolves when the client has room for more, so that a slow reader holds the session up, not the memory. */
  send(text: string): Promise<void>;
  close(code: number, reason: string): void;
}

/** What answers on one socket. Neither function throws. */
export interface SocketSession {
  /** One whole text message. */
  receive(text: string): void;
  /** The client has left, or the server stops. */
  closed(): void;
}
