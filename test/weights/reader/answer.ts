// answer.ts: what a reader of headers says: the tensors of a file, or that it is refused, and why.

export interface ReadTensor {
  name: string;
  dtype: string;
  /** The outermost dimension first. */
  shape: number[];
  /** Bytes of the file. */
  begin: number;
  end: number;
}

/** Thrown by the readers: the file breaks a rule of its format. */
export class Refused extends Error {}

export function need(rule: boolean, broken: string): asserts rule {
  if (!rule) throw new Refused(broken);
}

/** The tensors, or the rule that is broken; an error of the reader itself is neither. */
export function answerOf(read: (file: Buffer) => ReadTensor[], file: Buffer): ReadTensor[] | string {
  try {
    return read(file);
  } catch (error) {
    if (error instanceof Refused) return error.message;
    throw error;
  }
}
