// The Linux calls that Swift's Glibc module leaves out.
#pragma once
#include <linux/sockios.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

// Macros that are expressions or enumerators do not reach Swift as plain integers; constants do.
static const unsigned int TROUPE_EPOLLIN = EPOLLIN;
static const unsigned int TROUPE_EPOLLOUT = EPOLLOUT;
static const unsigned int TROUPE_EPOLLERR = EPOLLERR;
static const unsigned int TROUPE_EPOLLHUP = EPOLLHUP;
static const unsigned int TROUPE_EPOLLRDHUP = EPOLLRDHUP;
static const int TROUPE_EFD_FLAGS = EFD_CLOEXEC | EFD_NONBLOCK;
static const int TROUPE_EPOLL_CLOEXEC = EPOLL_CLOEXEC;

// prctl is variadic, which Swift cannot call. The kernel keeps 15 bytes of the name.
static inline void troupe_name_thread(const char *name) { prctl(PR_SET_NAME, name, 0, 0, 0); }
