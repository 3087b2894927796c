/* The floor (design.md 4): what a bridge cannot do without, and nothing else. One unprotect for each packet in; for each receiver a new header with one extension,
 * one protect, one send; batched system calls; with kept contexts the library that is faster here, libcrypto or, for GCM and where it is there, GnuTLS; nothing held back.
 * Keys and addresses are handed in, nothing is negotiated.
 *
 *   floor gcm|cm gso|plain fastest|libcrypto ROOMS PEOPLE LASTN SPEAKERS < participants
 * Each receives the video of the first LASTN others of its room, and the sound of its first SPEAKERS (all: PEOPLE for both).
 * Each line of standard input is one participant: its port, then as hex the session keys of what it sends and of what it gets: cipher key, authentication key (20
 * bytes; - with GCM), salt. Prints its port and its library and runs until it is killed.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
#define MAX_PEOPLE 512
#define BATCH 64
#define SLOT 2048
#define OUT_BYTES (128 * 1024)
#define MAX_RUNS 4096
#define HASH 4096

/* GnuTLS's AEAD interface, found when the program starts: no headers are needed, and a machine without it is a machine without it. */
struct datum { unsigned char *data; unsigned size; };
#define GNUTLS_AES_128_GCM 10
static int (*aead_init)(void **, int, const struct datum *);
typedef int aead_crypt(void *, const void *, size_t, const void *, size_t, size_t, const void *, size_t, void *, size_t *);
static aead_crypt *aead_encrypt, *aead_decrypt;
static int gnutls;

struct session {
  void *aead;
  EVP_CIPHER_CTX *cipher;
  SHA_CTX inner, outer;
  uint8_t salt[14];
};
struct stream {
  uint32_t ssrc, roc;
  uint16_t highest;
  int seen;
  uint64_t window;
};
struct person {
  struct sockaddr_in address;
  struct session up, down;
  struct stream streams[2];
  uint16_t transport;
  uint8_t *out;
  int length, run;
};

static struct person people[MAX_PEOPLE];
static int table[HASH];
static int gcm, gso, rooms, size, last_n, speakers, sock;
static uint8_t slots[BATCH][SLOT];
static struct mmsghdr in[BATCH], out[MAX_RUNS];
static struct iovec in_vector[BATCH], out_vector[MAX_RUNS];
static struct sockaddr_in from[BATCH];
static union { char bytes[CMSG_SPACE(sizeof(uint16_t))]; struct cmsghdr align; } control[MAX_RUNS];
static int segment[MAX_RUNS], segments[MAX_RUNS], runs;

static void die(const char *what) { perror(what); exit(1); }

static void unhex(const char *text, uint8_t *to, int bytes) {
  for (int i = 0; i < bytes; i++) { unsigned v; sscanf(text + 2 * i, "%2x", &v); to[i] = v; }
}

static void session_init(struct session *s, int encrypt, const char *key, const char *auth, const char *salt) {
  uint8_t k[16], a[20], pad[64];
  unhex(key, k, 16);
  unhex(salt, s->salt, gcm ? 12 : 14);
  if (gnutls) {
    struct datum datum = {k, 16};
    if (aead_init(&s->aead, GNUTLS_AES_128_GCM, &datum)) die("gnutls");
    return;
  }
  s->cipher = EVP_CIPHER_CTX_new();
  if (!EVP_CipherInit_ex(s->cipher, gcm ? EVP_aes_128_gcm() : EVP_aes_128_ctr(), NULL, k, NULL, gcm ? encrypt : 1)) die("cipher");
  if (gcm) return;
  unhex(auth, a, 20);
  memset(pad, 0x36, 64); for (int i = 0; i < 20; i++) pad[i] ^= a[i];
  SHA1_Init(&s->inner); SHA1_Update(&s->inner, pad, 64);
  memset(pad, 0x5c, 64); for (int i = 0; i < 20; i++) pad[i] ^= a[i];
  SHA1_Init(&s->outer); SHA1_Update(&s->outer, pad, 64);
}

static void iv_for(struct session *s, uint8_t *iv, uint32_t ssrc, uint32_t roc, uint16_t seq) {
  if (gcm) {
    memcpy(iv, s->salt, 12);
    for (int i = 0; i < 4; i++) { iv[2 + i] ^= ssrc >> (24 - 8 * i); iv[6 + i] ^= roc >> (24 - 8 * i); }
    iv[10] ^= seq >> 8; iv[11] ^= seq;
  } else {
    memcpy(iv, s->salt, 14); iv[14] = iv[15] = 0;
    for (int i = 0; i < 4; i++) { iv[4 + i] ^= ssrc >> (24 - 8 * i); iv[8 + i] ^= roc >> (24 - 8 * i); }
    iv[12] ^= seq >> 8; iv[13] ^= seq;
  }
}

static void tag_of(struct session *s, const uint8_t *packet, int length, uint32_t roc, uint8_t *digest) {
  SHA_CTX c = s->inner;
  uint32_t big = htonl(roc);
  SHA1_Update(&c, packet, length); SHA1_Update(&c, &big, 4); SHA1_Final(digest, &c);
  c = s->outer;
  SHA1_Update(&c, digest, 20); SHA1_Final(digest, &c);
}

/* Header at d, plain payload elsewhere; returns the whole length. */
static int protect(struct session *s, uint8_t *d, int header, const uint8_t *payload, int bytes, uint32_t ssrc, uint32_t roc, uint16_t seq) {
  uint8_t iv[16], digest[20];
  int n;
  iv_for(s, iv, ssrc, roc, seq);
  if (gnutls) {
    size_t out = bytes + 16;
    return aead_encrypt(s->aead, iv, 12, d, header, 16, payload, bytes, d + header, &out) ? -1 : header + bytes + 16;
  }
  EVP_CipherInit_ex(s->cipher, NULL, NULL, NULL, iv, -1);
  if (gcm) {
    EVP_CipherUpdate(s->cipher, NULL, &n, d, header);
    EVP_CipherUpdate(s->cipher, d + header, &n, payload, bytes);
    EVP_CipherFinal_ex(s->cipher, d + header + bytes, &n);
    EVP_CIPHER_CTX_ctrl(s->cipher, EVP_CTRL_AEAD_GET_TAG, 16, d + header + bytes);
    return header + bytes + 16;
  }
  EVP_CipherUpdate(s->cipher, d + header, &n, payload, bytes);
  tag_of(s, d, header + bytes, roc, digest);
  memcpy(d + header + bytes, digest, 10);
  return header + bytes + 10;
}

/* In place; returns the payload's length or -1. */
static int unprotect(struct session *s, uint8_t *p, int header, int length, uint32_t ssrc, uint32_t roc, uint16_t seq) {
  uint8_t iv[16], digest[20];
  int n, bytes = length - header - (gcm ? 16 : 10);
  if (bytes < 0) return -1;
  iv_for(s, iv, ssrc, roc, seq);
  if (gnutls) {
    size_t out = bytes;
    return aead_decrypt(s->aead, iv, 12, p, header, 16, p + header, bytes + 16, p + header, &out) ? -1 : bytes;
  }
  if (gcm) {
    EVP_CipherInit_ex(s->cipher, NULL, NULL, NULL, iv, -1);
    EVP_CipherUpdate(s->cipher, NULL, &n, p, header);
    EVP_CipherUpdate(s->cipher, p + header, &n, p + header, bytes);
    EVP_CIPHER_CTX_ctrl(s->cipher, EVP_CTRL_AEAD_SET_TAG, 16, p + header + bytes);
    return EVP_CipherFinal_ex(s->cipher, p + header + bytes, &n) > 0 ? bytes : -1;
  }
  tag_of(s, p, header + bytes, roc, digest);
  if (memcmp(digest, p + header + bytes, 10)) return -1;
  EVP_CipherInit_ex(s->cipher, NULL, NULL, NULL, iv, -1);
  EVP_CipherUpdate(s->cipher, p + header, &n, p + header, bytes);
  return bytes;
}

static double micros_to_protect(void) {
  static uint8_t to[SLOT], from[SLOT];
  struct session s = {0};
  struct timespec begin, end;
  session_init(&s, 1, "000102030405060708090a0b0c0d0e0f", "-", "000102030405060708090a0b");
  for (int i = -1000; i < 10000; i++) {
    if (i == 0) clock_gettime(CLOCK_MONOTONIC, &begin);
    protect(&s, to, 20, from, 1130, 1, 0, i);
  }
  clock_gettime(CLOCK_MONOTONIC, &end);
  return ((end.tv_sec - begin.tv_sec) * 1e6 + (end.tv_nsec - begin.tv_nsec) / 1e3) / 10000;
}

static void choose_library(int may_choose) {
  void *library = gcm && may_choose ? dlopen("libgnutls.so.30", RTLD_NOW) : NULL;
  if (!library) return;
  aead_init = dlsym(library, "gnutls_aead_cipher_init");
  aead_encrypt = dlsym(library, "gnutls_aead_cipher_encrypt");
  aead_decrypt = dlsym(library, "gnutls_aead_cipher_decrypt");
  if (!aead_init || !aead_encrypt || !aead_decrypt) return;
  double libcrypto = micros_to_protect();
  gnutls = 1;
  gnutls = micros_to_protect() < libcrypto;
}

static void flush(void) {
  for (int done = 0; done < runs;) {
    int n = sendmmsg(sock, out + done, runs - done, 0);
    if (n > 0) done += n;
    else if (errno != EINTR) done++;
  }
  runs = 0;
  for (int i = 0; i < rooms * size; i++) { people[i].length = 0; people[i].run = -1; }
}

static void append(struct person *r, int bytes) {
  int run = r->run;
  if (gso && run >= 0 && bytes <= segment[run] && segments[run] < 64 && out_vector[run].iov_len + bytes < 65000) {
    out_vector[run].iov_len += bytes;
    segments[run]++;
    out[run].msg_hdr.msg_controllen = sizeof control[run].bytes;
    if (bytes < segment[run]) r->run = -1;
  } else {
    run = runs++;
    out_vector[run] = (struct iovec){r->out + r->length, bytes};
    segment[run] = bytes; segments[run] = 1;
    out[run].msg_hdr = (struct msghdr){.msg_name = &r->address, .msg_namelen = sizeof r->address, .msg_iov = &out_vector[run], .msg_iovlen = 1, .msg_control = control[run].bytes};
    struct cmsghdr *c = &control[run].align;
    c->cmsg_level = IPPROTO_UDP; c->cmsg_type = UDP_SEGMENT; c->cmsg_len = CMSG_LEN(sizeof(uint16_t));
    *(uint16_t *)CMSG_DATA(c) = bytes;
    r->run = run;
  }
  r->length += bytes;
}

static void packet(uint8_t *p, int length, struct sockaddr_in *source) {
  if (length < 20 || p[0] >> 6 != 2 || (p[1] >= 192 && p[1] <= 223)) return;
  int who = -1;
  for (unsigned h = (ntohs(source->sin_port) * 2654435761u) % HASH; table[h]; h = (h + 1) % HASH) {
    who = table[h] - 1;
    if (people[who].address.sin_port == source->sin_port && people[who].address.sin_addr.s_addr == source->sin_addr.s_addr) break;
    who = -1;
  }
  if (who < 0) return;
  struct person *s = &people[who];
  uint32_t ssrc = ntohl(*(uint32_t *)(p + 8));
  uint16_t seq = p[2] << 8 | p[3];
  int header = 12 + 4 * (p[0] & 15);
  if (p[0] & 16) header += 4 + 4 * (p[header + 2] << 8 | p[header + 3]);
  if (header > length) return;
  int video = (p[1] & 127) == 100;
  struct stream *t = &s->streams[video];
  uint32_t roc = t->roc;
  if (!t->seen) { t->seen = 1; t->ssrc = ssrc; t->highest = seq; }
  int16_t step = seq - t->highest;
  if (step > 0 && seq < t->highest) roc++;
  else if (step < 0 && seq > t->highest) roc--;
  if (step <= 0 && (-step > 63 || (t->window >> -step & 1))) return;
  int bytes = unprotect(&s->up, p, header, length, ssrc, roc, seq);
  if (bytes < 0) return;
  if (step > 0) { t->roc = roc; t->highest = seq; t->window = step > 63 ? 1 : t->window << step | 1; }
  else t->window |= 1ull << -step;
  int room = who / size, place = who % size;
  if (!video && place >= speakers) return;
  for (int i = room * size; i < (room + 1) * size; i++) {
    if (i == who || (video && place - (who > i) >= last_n)) continue;
    struct person *r = &people[i];
    if (r->length + SLOT > OUT_BYTES || runs > MAX_RUNS - 2) flush();
    uint8_t *d = r->out + r->length;
    memcpy(d, p, 12);
    d[0] = 0x90;
    d[12] = 0xbe; d[13] = 0xde; d[14] = 0; d[15] = 1;
    if (video) { r->transport++; d[16] = 5 << 4 | 1; d[17] = r->transport >> 8; d[18] = r->transport; d[19] = 0; }
    else { d[16] = 1 << 4; d[17] = p[17]; d[18] = d[19] = 0; }
    append(r, protect(&r->down, d, 20, p + header, bytes, ssrc, roc, seq));
  }
}

int main(int argc, char **argv) {
  if (argc != 8) { fprintf(stderr, "floor gcm|cm gso|plain fastest|libcrypto ROOMS PEOPLE LASTN SPEAKERS < participants\n"); return 2; }
  gcm = !strcmp(argv[1], "gcm"); gso = !strcmp(argv[2], "gso"); rooms = atoi(argv[4]); size = atoi(argv[5]); last_n = atoi(argv[6]); speakers = atoi(argv[7]);
  if (rooms < 1 || size < 2 || rooms * size > MAX_PEOPLE) return 2;
  choose_library(!strcmp(argv[3], "fastest"));
  for (int i = 0; i < rooms * size; i++) {
    int port;
    char k[2][64], a[2][64], s[2][64];
    if (scanf("%d %63s %63s %63s %63s %63s %63s", &port, k[0], a[0], s[0], k[1], a[1], s[1]) != 7) return 2;
    struct person *p = &people[i];
    p->address = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    session_init(&p->up, 0, k[0], a[0], s[0]);
    session_init(&p->down, 1, k[1], a[1], s[1]);
    p->out = malloc(OUT_BYTES); p->run = -1;
    unsigned h = (port * 2654435761u) % HASH;
    while (table[h]) h = (h + 1) % HASH;
    table[h] = i + 1;
  }
  sock = socket(AF_INET, SOCK_DGRAM, 0);
  int buffer = 10 << 20;
  setsockopt(sock, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof buffer);
  setsockopt(sock, SOL_SOCKET, SO_SNDBUFFORCE, &buffer, sizeof buffer);
  setsockopt(sock, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
  setsockopt(sock, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof buffer);
  struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t any_length = sizeof any;
  if (bind(sock, (struct sockaddr *)&any, sizeof any)) die("bind");
  getsockname(sock, (struct sockaddr *)&any, &any_length);
  printf("{\"port\":%d,\"library\":\"%s\"}\n", ntohs(any.sin_port), gnutls ? "GnuTLS" : "libcrypto");
  fflush(stdout);
  for (int i = 0; i < BATCH; i++) {
    in_vector[i] = (struct iovec){slots[i], SLOT - 64};
    in[i].msg_hdr = (struct msghdr){.msg_name = &from[i], .msg_iov = &in_vector[i], .msg_iovlen = 1};
  }
  struct pollfd fd = {sock, POLLIN, 0};
  for (;;) {
    poll(&fd, 1, -1);
    for (;;) {
      for (int i = 0; i < BATCH; i++) { in[i].msg_hdr.msg_namelen = sizeof from[i]; in[i].msg_hdr.msg_controllen = 0; }
      int n = recvmmsg(sock, in, BATCH, MSG_DONTWAIT, NULL);
      for (int i = 0; i < n; i++) packet(slots[i], in[i].msg_len, &from[i]);
      flush();
      if (n < BATCH) break;
    }
  }
}
