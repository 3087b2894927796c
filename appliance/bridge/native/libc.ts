/**
 * Shell: the few system calls of the media port, by bun:ffi, and the layouts they read (64-bit little-endian Linux: the same on x86-64 and aarch64).
 *
 *   struct mmsghdr (64): name ptr 0, namelen u32 8, iov ptr 16, iovlen u64 24, control ptr 32, controllen u64 40, flags i32 48, msg_len u32 56
 *   struct iovec (16): base ptr 0, len u64 8
 *   struct cmsghdr (16 + data): len u64 0, level i32 8, type i32 12
 *   struct pollfd (8): fd i32 0, events i16 4, revents i16 6
 */
import { dlopen, FFIType, type Pointer, read } from "bun:ffi";
import { Pinned } from "./pinned.ts";

const library = dlopen("libc.so.6", {
  socket: { args: [FFIType.i32, FFIType.i32, FFIType.i32], returns: FFIType.i32 },
  bind: { args: [FFIType.i32, FFIType.ptr, FFIType.u32], returns: FFIType.i32 },
  getsockname: { args: [FFIType.i32, FFIType.ptr, FFIType.ptr], returns: FFIType.i32 },
  setsockopt: {
    args: [FFIType.i32, FFIType.i32, FFIType.i32, FFIType.ptr, FFIType.u32],
    returns: FFIType.i32,
  },
  getsockopt: {
    args: [FFIType.i32, FFIType.i32, FFIType.i32, FFIType.ptr, FFIType.ptr],
    returns: FFIType.i32,
  },
  poll: { args: [FFIType.ptr, FFIType.u32, FFIType.i32], returns: FFIType.i32 },
  /** Its timespec (two 64-bit words: seconds, nanoseconds) is only read; null: no limit. */
  ppoll: {
    args: [FFIType.ptr, FFIType.u32, FFIType.ptr, FFIType.ptr],
    returns: FFIType.i32,
  },
  recvmmsg: {
    args: [FFIType.i32, FFIType.ptr, FFIType.u32, FFIType.i32, FFIType.ptr],
    returns: FFIType.i32,
  },
  sendmmsg: { args: [FFIType.i32, FFIType.ptr, FFIType.u32, FFIType.i32], returns: FFIType.i32 },
  eventfd: { args: [FFIType.u32, FFIType.i32], returns: FFIType.i32 },
  read: { args: [FFIType.i32, FFIType.ptr, FFIType.u64], returns: FFIType.i32 },
  write: { args: [FFIType.i32, FFIType.ptr, FFIType.u64], returns: FFIType.i32 },
  close: { args: [FFIType.i32], returns: FFIType.i32 },
  madvise: { args: [FFIType.u64, FFIType.u64, FFIType.i32], returns: FFIType.i32 },
  clock_gettime: { args: [FFIType.i32, FFIType.ptr], returns: FFIType.i32 },
  sched_getaffinity: { args: [FFIType.i32, FFIType.u64, FFIType.ptr], returns: FFIType.i32 },
  sched_setaffinity: { args: [FFIType.i32, FFIType.u64, FFIType.ptr], returns: FFIType.i32 },
  __errno_location: { args: [], returns: FFIType.ptr },
});

export const libc = library.symbols;

export const Errno = {
  EINTR: 4,
  EIO: 5,
  EAGAIN: 11,
  EACCES: 13,
  EINVAL: 22,
  EADDRINUSE: 98,
  EADDRNOTAVAIL: 99,
} as const;

/** Error number of the call just made on this thread. */
export const errno = (): number => {
  const at = libc.__errno_location();
  return at === null ? 0 : read.i32(at, 0);
};

export const AF_INET = 2;
export const AF_INET6 = 10;
const SOCK_DGRAM = 2;
const SOCK_NONBLOCK = 0x800;
const SOCK_CLOEXEC = 0x80000;
const SOL_SOCKET = 1;
const SO_RCVBUF = 8;
const SO_SNDBUF = 7;
const SO_RCVBUFFORCE = 33;
const SO_SNDBUFFORCE = 32;
const IPPROTO_IPV6 = 41;
const IPV6_V6ONLY = 26;
const EFD_NONBLOCK = 0x800;
const EFD_CLOEXEC = 0x80000;

export const MSG_DONTWAIT = 0x40;
export const MSG_TRUNC = 0x20;
export const POLLIN = 1;
export const SOL_UDP = 17;
export const UDP_SEGMENT = 103;
export const UDP_GRO = 104;

const { bytes: scratch, words: scratchWords, at: scratchAt } = new Pinned(256);

/** A call of the system that failed, with its error number. */
export class SystemCallError extends Error {
  readonly call: string;
  readonly errno: number;

  constructor(call: string, number: number, detail: string) {
    super(`${call} ${detail}: errno ${number}`);
    this.call = call;
    this.errno = number;
  }
}

const setOption = (fd: number, level: number, option: number, value: number): boolean => {
  scratchWords[0] = value;
  return libc.setsockopt(fd, level, option, scratchAt, 4) === 0;
};

const readOption = (fd: number, level: number, option: number): number => {
  scratchWords[0] = 0;
  scratchWords[1] = 4;
  return libc.getsockopt(fd, level, option, scratchAt, (scratchAt + 4) as Pointer) === 0
    ? (scratchWords[0] as number)
    : -1;
};

export interface UdpSocket {
  readonly fd: number;
  readonly port: number;
  /** What the kernel granted (it reports twice the usable size). */
  readonly receiveBufferBytes: number;
  /** Datagrams of one sender may come joined (UDP_GRO). */
  readonly coalescing: boolean;
}

/** A bound, non-blocking UDP socket. `address`: a socket address of 28 bytes. `coalesce`: joined datagrams are welcome. Throws SystemCallError. */
export function openUdpSocket(address: Uint8Array, bufferBytes: number, coalesce = false): UdpSocket {
  const family = address[0] === AF_INET ? AF_INET : AF_INET6;
  const fd = libc.socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) throw new SystemCallError("socket", errno(), family === AF_INET ? "IPv4" : "IPv6");
  if (family === AF_INET6) setOption(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
  // The forced variants need a capability and pass the system's limit; without it the kernel clips.
  if (!setOption(fd, SOL_SOCKET, SO_RCVBUFFORCE, bufferBytes)) setOption(fd, SOL_SOCKET, SO_RCVBUF, bufferBytes);
  if (!setOption(fd, SOL_SOCKET, SO_SNDBUFFORCE, bufferBytes)) setOption(fd, SOL_SOCKET, SO_SNDBUF, bufferBytes);
  scratch.set(address.subarray(0, 28), 0);
  if (libc.bind(fd, scratchAt, family === AF_INET ? 16 : 28) !== 0) {
    const number = errno();
    libc.close(fd);
    throw new SystemCallError("bind", number, family === AF_INET ? "IPv4" : "IPv6");
  }
  scratchWords[16] = 28;
  libc.getsockname(fd, scratchAt, (scratchAt + 64) as Pointer);
  return {
    fd,
    port: ((scratch[2] as number) << 8) | (scratch[3] as number),
    receiveBufferBytes: readOption(fd, SOL_SOCKET, SO_RCVBUF) / 2,
    coalescing: coalesce && setOption(fd, SOL_UDP, UDP_GRO, 1), // kernels before 5.0 refuse
  };
}

/** A counter that wakes a poll. */
export function openEventFd(): number {
  const fd = libc.eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (fd < 0) throw new SystemCallError("eventfd", errno(), "");
  return fd;
}

const one = new Pinned(8);
const counter = new Pinned(8);

export const wakeEventFd = (fd: number): void => {
  one.words[0] = 1;
  libc.write(fd, one.at, 8);
};
/** How often it was woken since the last call. */
export const drainEventFd = (fd: number): number =>
  libc.read(fd, counter.at, 8) === 8 ? (counter.words[0] as number) : 0;
