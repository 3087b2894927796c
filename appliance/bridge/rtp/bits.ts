/**
 * Reading single bits, most significant first. Past the end it answers zeros and says so in `overrun`; it never throws.
 */

export class BitReader {
  #bytes: Uint8Array = new Uint8Array(0);
  #position = 0;
  #end = 0;
  overrun = false;

  begin(bytes: Uint8Array, offset: number, length: number): void {
    this.#bytes = bytes;
    this.#position = offset * 8;
    this.#end = (offset + length) * 8;
    this.overrun = false;
  }

  /** In bits from the array's start. */
  get position(): number {
    return this.#position;
  }

  bit(): number {
    if (this.#position >= this.#end) {
      this.overrun = true;
      return 0;
    }
    const value = ((this.#bytes[this.#position >>> 3] as number) >>> (7 - (this.#position & 7))) & 1;
    this.#position += 1;
    return value;
  }

  /** Up to 31 bits, unsigned: f(n). */
  bits(count: number): number {
    let value = 0;
    for (let index = 0; index < count; index++) value = (value << 1) | this.bit();
    return value;
  }

  skip(count: number): void {
    if (this.#position + count > this.#end) {
      this.overrun = true;
      this.#position = this.#end;
    } else this.#position += count;
  }

  /** ns(n) of the AV1 specification, §4.10.7: a number below `limit`. */
  nonSymmetric(limit: number): number {
    let width = 0;
    for (let rest = limit; rest !== 0; rest >>>= 1) width += 1;
    const short = (1 << width) - limit;
    const value = this.bits(width - 1);
    if (value < short) return value;
    return (value << 1) - short + this.bit();
  }

  /** ue(v) of H.264 §9.1; at most 31 leading zeros. */
  exponential(): number {
    let zeros = 0;
    while (this.bit() === 0) {
      zeros += 1;
      if (this.overrun || zeros > 30) {
        this.overrun = true;
        return 0;
      }
    }
    return (1 << zeros) - 1 + this.bits(zeros);
  }

  /** se(v) of H.264 §9.1.1. */
  signedExponential(): number {
    const value = this.exponential();
    return (value & 1) === 0 ? -(value >>> 1) : (value + 1) >>> 1;
  }
}
