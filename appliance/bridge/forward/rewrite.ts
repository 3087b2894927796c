/**
 * What one receiver gets instead of what came in: filled by the stages of a sender, read by whoever writes the packet. One object is used over and over.
 */

export class Rewrite {
  /** Extended outgoing sequence number. */
  sequence = 0;
  /** Unsigned 32 bits. */
  timestamp = 0;
  marker = false;
  /** −1: leave as it is. */
  pictureId = -1;
  temporalZeroIndex = -1;
  /** Dependency descriptor: frame number (16 bits), −1: no descriptor goes out. */
  frameNumber = -1;
  /** Dependency descriptor: what is added to template ids. */
  templateOffset = 0;
}
