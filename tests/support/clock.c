/* A wall clock that can be set, for one process (LD_PRELOAD): it is off by as many seconds as the file that HOTLINE_CLOCK names
   says, or shows that many seconds since 1970 after a "=". */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static int shown(struct timespec *at) {
  static int (*real)(clockid_t, struct timespec *);
  if (!real) real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
  int result = real(CLOCK_REALTIME, at);
  const char *name = getenv("HOTLINE_CLOCK");
  char says[32] = "";
  int fd = name ? open(name, O_RDONLY) : -1;
  if (fd < 0) return result;
  if (read(fd, says, sizeof says - 1) > 0) {
    if (says[0] == '=') at->tv_sec = atoll(says + 1);
    else at->tv_sec += atoll(says);
  }
  close(fd);
  return result;
}

int clock_gettime(clockid_t clock, struct timespec *at) {
  static int (*real)(clockid_t, struct timespec *);
  if (!real) real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
  return clock == CLOCK_REALTIME ? shown(at) : real(clock, at);
}

int gettimeofday(struct timeval *restrict at, void *restrict zone) {
  struct timespec now;
  (void)zone;
  int result = shown(&now);
  at->tv_sec = now.tv_sec;
  at->tv_usec = now.tv_nsec / 1000;
  return result;
}

time_t time(time_t *at) {
  struct timespec now;
  shown(&now);
  if (at) *at = now.tv_sec;
  return now.tv_sec;
}
