/**
 * Shell: opening a library of the system.
 */

/** A library cannot be loaded, or lacks what is needed; the message says what to install. */
export class LibraryMissing extends Error {}

/** What `open` answers. Throws LibraryMissing, `need` its beginning, in place of whatever `open` throws. */
export function openLibrary<Opened>(need: string, open: () => Opened): Opened {
  try {
    return open();
  } catch (error) {
    throw new LibraryMissing(`${need}: ${error instanceof Error ? error.message : String(error)}`);
  }
}
