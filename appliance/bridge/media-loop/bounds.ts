/**
 * Bounds of the loop's tables; commands beyond them are faults of the control side.
 */

export const MAX_ENDPOINTS = 1024;
export const MAX_SOURCES = 4096;
