/* A plugin for qemu-user (API version 1; Debian ships no header, so what is used is declared here): counts the instructions that each emulated thread executes.
 * When a thread calls getpriority(0, 0x7e5700 + n), prints "mark n COUNT" with its own count on standard error.
 *
 *   gcc -O2 -shared -fPIC -o count.so count-instructions.c; qemu-aarch64 -plugin ./count.so PROGRAM
 */
#include <inttypes.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define THREADS 1024
#define GETPRIORITY 141 /* of aarch64 */
#define MARK 0x7e5700

typedef uint64_t plugin_id;
struct qemu_plugin_tb;

int qemu_plugin_version = 1;
void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id, void (*)(plugin_id, struct qemu_plugin_tb *));
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *, void (*)(unsigned, void *), int flags, void *);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
void qemu_plugin_register_vcpu_syscall_cb(plugin_id, void (*)(plugin_id, unsigned, int64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t));

static uint64_t counts[THREADS];

static void executed(unsigned thread, void *instructions) { counts[thread % THREADS] += (uintptr_t)instructions; }

static void translated(plugin_id id, struct qemu_plugin_tb *block) {
  qemu_plugin_register_vcpu_tb_exec_cb(block, executed, 0, (void *)qemu_plugin_tb_n_insns(block));
}

static void called(plugin_id id, unsigned thread, int64_t number, uint64_t a, uint64_t who, uint64_t c, uint64_t d, uint64_t e, uint64_t f, uint64_t g, uint64_t h) {
  if (number == GETPRIORITY && (who & ~(uint64_t)0xff) == MARK) fprintf(stderr, "mark %u %" PRIu64 "\n", (unsigned)(who & 0xff), counts[thread % THREADS]);
}

int qemu_plugin_install(plugin_id id, const void *info, int count, char **arguments) {
  qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
  qemu_plugin_register_vcpu_syscall_cb(id, called);
  return 0;
}
