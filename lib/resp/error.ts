// error.ts: why a client of ours got no reply, or an error for one.

/** Branch on `code`, never on `message`. */
export type RespErrorCode =
  | 'ERR_RESP_URL' // the URL of a server cannot be understood
  | 'ERR_RESP_CONNECT' // nobody listens there, the name is not known, or TLS failed
  | 'ERR_RESP_TIMEOUT' // the server said nothing for too long
  | 'ERR_RESP_CLOSED' // the connection ended before the reply
  | 'ERR_RESP_PROTOCOL' // what came is no RESP2
  | 'ERR_RESP_REPLY'; // the server answered with an error: `reply` is its first word, such as NOAUTH

export class RespError extends Error {
  override readonly name = 'RespError';
  readonly code: RespErrorCode;
  /** The first word of a server's error; of other errors ''. */
  readonly reply: string;

  constructor(code: RespErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.reply = code === 'ERR_RESP_REPLY' ? message.split(' ', 1)[0]! : '';
  }
}
