/* A disk that can fail, for one process (LD_PRELOAD): while the file that HOTLINE_FAULT names says "sync" or "write", that
   operation on the journal's files gives EIO; while it says "full", no recording can be written (ENOSPC). As Linux does it, what a failed sync should have brought to the disk stays
   readable, counts as clean, and no later sync brings it there. What is on the disk stands beside each file as FILE.disk. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MOST 65536
struct range { int file; off_t at; size_t count; };
static struct range dirty[MOST];
static int ranges;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

#define REAL(type, name, ...) \
  static type (*real)(__VA_ARGS__); \
  if (!real) real = (type (*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)

static ssize_t real_pwrite(int fd, const void *data, size_t count, off_t at) {
  REAL(ssize_t, "pwrite64", int, const void *, size_t, off_t);
  return real(fd, data, count, at);
}

/* 1: the database, 2: its log, 0: neither. */
static int known(const char *path) {
  size_t length = strlen(path);
  if (length > 10 && !strcmp(path + length - 10, "journal.db")) return 1;
  if (length > 14 && !strcmp(path + length - 14, "journal.db-wal")) return 2;
  return 0;
}

static int which(int fd, char *path) {
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, PATH_MAX - 1);
  if (length < 0) return 0;
  path[length] = 0;
  return known(path);
}

static int fault(const char *what) {
  const char *name = getenv("HOTLINE_FAULT");
  char says[16] = "";
  int fd = name ? open(name, O_RDONLY) : -1;
  if (fd < 0) return 0;
  ssize_t length = read(fd, says, sizeof says - 1);
  close(fd);
  return length > 0 && !strncmp(says, what, strlen(what));
}

static int written(int fd, off_t at, size_t count) {
  char path[PATH_MAX] = "";
  int file = which(fd, path);
  size_t length = strlen(path);
  if (length > 5 && !strcmp(path + length - 5, ".part") && fault("full")) { errno = ENOSPC; return -1; }
  if (!file) return 0;
  if (fault("write")) { errno = EIO; return -1; }
  pthread_mutex_lock(&lock);
  if (ranges == MOST) abort();
  dirty[ranges++] = (struct range){ file, at, count };
  pthread_mutex_unlock(&lock);
  return 0;
}

/* Brings what is dirty to the disk, or forgets that it is. */
static void settle(int fd, int file, const char *path, int reaches) {
  char name[PATH_MAX + 8];
  struct stat about;
  snprintf(name, sizeof name, "%s.disk", path);
  int disk = open(name, O_RDWR | O_CREAT, 0644), left = 0;
  /* The descriptor may be one that only writes. */
  int from = open(path, O_RDONLY);
  pthread_mutex_lock(&lock);
  for (int i = 0; i < ranges; i++) {
    struct range r = dirty[i];
    if (r.file != file) { dirty[left++] = r; continue; }
    char *data = reaches ? malloc(r.count) : NULL;
    ssize_t count = reaches ? pread(from, data, r.count, r.at) : 0;
    if (count > 0) real_pwrite(disk, data, count, r.at);
    free(data);
  }
  ranges = left;
  REAL(int, "ftruncate64", int, off_t);
  if (reaches && !fstat(fd, &about)) real(disk, about.st_size);
  pthread_mutex_unlock(&lock);
  close(disk);
  close(from);
}

static int synced(int fd) {
  char path[PATH_MAX];
  int file = which(fd, path);
  if (!file) return 0;
  int fails = fault("sync");
  settle(fd, file, path, !fails);
  if (fails) errno = EIO;
  return fails ? -1 : 0;
}

ssize_t write(int fd, const void *data, size_t count) {
  REAL(ssize_t, "write", int, const void *, size_t);
  return written(fd, lseek(fd, 0, SEEK_CUR), count) ? -1 : real(fd, data, count);
}

ssize_t pwrite64(int fd, const void *data, size_t count, off_t at) {
  return written(fd, at, count) ? -1 : real_pwrite(fd, data, count, at);
}

ssize_t pwrite(int fd, const void *data, size_t count, off_t at) {
  return pwrite64(fd, data, count, at);
}

int fsync(int fd) {
  return synced(fd);
}

int fdatasync(int fd) {
  return synced(fd);
}

int unlink(const char *path) {
  REAL(int, "unlink", const char *);
  if (known(path)) {
    char name[PATH_MAX + 8];
    snprintf(name, sizeof name, "%s.disk", path);
    real(name);
  }
  return real(path);
}

/* A new name is on the disk once its folder is synced, which follows; what it names was synced before. */
int rename(const char *from, const char *to) {
  REAL(int, "rename", const char *, const char *);
  int done = real(from, to), file = known(to);
  if (done || !file) return done;
  int fd = open(to, O_RDWR);
  struct stat about;
  if (!fstat(fd, &about)) {
    pthread_mutex_lock(&lock);
    if (ranges == MOST) abort();
    dirty[ranges++] = (struct range){ file, 0, about.st_size };
    pthread_mutex_unlock(&lock);
    settle(fd, file, to, 1);
  }
  close(fd);
  return done;
}
