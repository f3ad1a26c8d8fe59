// Kernel interfaces that Swift cannot import: variadic calls, function-like macros, and constants newer than Debian 12's headers.
// Inline wrappers only; whoever owns a pointer or a descriptor is Swift.
#ifndef TERRINE_CLINUX_H
#define TERRINE_CLINUX_H
// No _GNU_SOURCE: with it glibc's own structures differ from those that Swift's Glibc module was made with. What it would declare goes through
// clinux_syscall6.
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/fuse.h>
#include <linux/loop.h>
#include <linux/mount.h>
#include <spawn.h>
#include <stdint.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

extern int posix_spawn_file_actions_addclosefrom_np(posix_spawn_file_actions_t *actions, int from);
extern int posix_spawn_file_actions_addchdir_np(posix_spawn_file_actions_t *actions, const char *path);
extern int pipe2(int ends[2], int flags);

static inline long clinux_syscall6(long n, long a, long b, long c, long d, long e, long f) {
    return syscall(n, a, b, c, d, e, f);
}
static inline int clinux_ioctl(int fd, unsigned long request, void *argument) { return ioctl(fd, request, argument); }
static inline int clinux_ioctl_int(int fd, unsigned long request, long argument) { return ioctl(fd, request, argument); }
static inline int clinux_prctl(int option, unsigned long a, unsigned long b) { return prctl(option, a, b, 0UL, 0UL); }
static inline int clinux_openat(int dir, const char *path, int flags, mode_t mode) {
    return openat(dir, path, flags, mode);
}
static inline int clinux_fcntl_int(int fd, int command, int argument) { return fcntl(fd, command, argument); }

#endif
