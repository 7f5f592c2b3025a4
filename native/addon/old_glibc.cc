// Lets a binary that was built on a new Linux run on every one that Node 20 runs on (glibc 2.28): the few functions
// whose symbols glibc has renumbered since are asked for under their first version. Nothing else here.

#include <pthread.h>
#include <time.h>

#if defined(__GLIBC__)

#if defined(__x86_64__)
#define GPTOSS_FIRST_GLIBC "GLIBC_2.2.5"
#elif defined(__aarch64__)
#define GPTOSS_FIRST_GLIBC "GLIBC_2.17"
#endif

#ifdef GPTOSS_FIRST_GLIBC

extern "C" {

int first_pthread_create(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*);
int first_pthread_join(pthread_t, void**);
__asm__(".symver first_pthread_create, pthread_create@" GPTOSS_FIRST_GLIBC);
__asm__(".symver first_pthread_join, pthread_join@" GPTOSS_FIRST_GLIBC);

__attribute__((visibility("hidden"))) int pthread_create(pthread_t* thread, const pthread_attr_t* attributes,
                                                         void* (*start)(void*), void* argument) {
  return first_pthread_create(thread, attributes, start, argument);
}

__attribute__((visibility("hidden"))) int pthread_join(pthread_t thread, void** result) {
  return first_pthread_join(thread, result);
}

/// What the C++ library did before 2.30 had this function: the deadline on the other clock.
__attribute__((visibility("hidden"))) int pthread_cond_clockwait(pthread_cond_t* condition, pthread_mutex_t* mutex,
                                                                 clockid_t clock, const struct timespec* deadline) {
  struct timespec now, until;
  clock_gettime(clock, &now);
  clock_gettime(CLOCK_REALTIME, &until);
  until.tv_sec += deadline->tv_sec - now.tv_sec;
  until.tv_nsec += deadline->tv_nsec - now.tv_nsec;
  for (; until.tv_nsec < 0; until.tv_nsec += 1000000000) until.tv_sec--;
  for (; until.tv_nsec >= 1000000000; until.tv_nsec -= 1000000000) until.tv_sec++;
  return pthread_cond_timedwait(condition, mutex, &until);
}

/// 2.32's hint that spares a process with one thread its atomic operations; this one has several.
__attribute__((visibility("hidden"))) char __libc_single_threaded = 0;
}

#endif
#endif
