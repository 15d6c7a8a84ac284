/* A handler that answers at once with the payload it got: what is left is the sidecar's own cost.
 *
 *     echo SOCKET [MILLISECONDS]
 *
 * With MILLISECONDS it answers so much later, as a handler does that waits for somebody else. Speaks the socket
 * protocol (docs/protocol.md): frames of a 4-byte big-endian length and JSON; one thread for all connections. */
#include <arpa/inet.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { LIMIT = 1025 };

struct peer { char *bytes; size_t size, capacity; };

/* Answers that are not due yet, in order: a connection has one question at a time. */
struct answer { int descriptor; char *bytes; size_t size; double due; };
static struct answer waiting[LIMIT];
static unsigned first_waiting = 0, after_waiting = 0;
static double delay = 0;

static void fail(const char *what) { perror(what); exit(1); }

static void send_all(int descriptor, const char *bytes, size_t size) {
    while (size > 0) {
        ssize_t sent = send(descriptor, bytes, size, MSG_NOSIGNAL);
        if (sent <= 0) return;
        bytes += sent;
        size -= (size_t)sent;
    }
}

static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Sends what is due; how long until the next, NULL where nothing waits. */
static const struct timespec *send_due(struct timespec *pause) {
    while (first_waiting != after_waiting) {
        struct answer *next = &waiting[first_waiting % LIMIT];
        double left = next->due - seconds();
        if (left > 0) {
            *pause = (struct timespec){.tv_sec = (time_t)left, .tv_nsec = (long)((left - (double)(time_t)left) * 1e9)};
            return pause;
        }
        send_all(next->descriptor, next->bytes, next->size);
        free(next->bytes);
        first_waiting++;
    }
    return NULL;
}

/* The sidecar writes the payload last: it goes from the first member of that name to the closing brace. */
static void answer(int descriptor, const char *frame, size_t size) {
    static const char name[] = "\"payload\":", head[] = "[{\"payload\":", tail[] = "}]";
    const char *payload = memmem(frame, size, name, sizeof name - 1);
    if (!payload) { fprintf(stderr, "echo: a request without payload\n"); exit(1); }
    payload += sizeof name - 1;
    size_t length = (size_t)(frame + size - payload) - 1;
    uint32_t total = htonl((uint32_t)(sizeof head - 1 + length + sizeof tail - 1));
    char *reply = malloc(4 + sizeof head + length + sizeof tail);
    char *end = reply;
    memcpy(end, &total, 4), end += 4;
    memcpy(end, head, sizeof head - 1), end += sizeof head - 1;
    memcpy(end, payload, length), end += length;
    memcpy(end, tail, sizeof tail - 1), end += sizeof tail - 1;
    if (after_waiting - first_waiting == LIMIT) { fprintf(stderr, "echo: too many questions at a time\n"); exit(1); }
    double due = delay > 0 ? seconds() + delay : 0;
    waiting[after_waiting++ % LIMIT] = (struct answer){descriptor, reply, (size_t)(end - reply), due};
}

/* Returns 0 when the peer is gone. */
static int take(int descriptor, struct peer *peer) {
    if (peer->capacity - peer->size < 65536) {
        peer->capacity = peer->capacity ? peer->capacity * 2 : 1 << 17;
        if (!(peer->bytes = realloc(peer->bytes, peer->capacity))) fail("memory");
    }
    ssize_t count = recv(descriptor, peer->bytes + peer->size, peer->capacity - peer->size, 0);
    if (count <= 0) return 0;
    peer->size += (size_t)count;
    size_t start = 0;
    while (peer->size - start >= 4) {
        uint32_t length;
        memcpy(&length, peer->bytes + start, 4);
        length = ntohl(length);
        if (peer->size - start - 4 < length) break;
        answer(descriptor, peer->bytes + start + 4, length);
        start += 4 + (size_t)length;
    }
    memmove(peer->bytes, peer->bytes + start, peer->size - start);
    peer->size -= start;
    return 1;
}

int main(int count, char **arguments) {
    if (count < 2) { fprintf(stderr, "usage: echo SOCKET [MILLISECONDS]\n"); return 64; }
    if (count > 2) delay = atof(arguments[2]) / 1e3;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strncpy(address.sun_path, arguments[1], sizeof address.sun_path - 1);
    unlink(arguments[1]);
    int listener = socket(AF_UNIX, SOCK_STREAM, 0);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) != 0 || listen(listener, 1024) != 0)
        fail(arguments[1]);
    static struct pollfd polled[LIMIT];
    static struct peer peers[LIMIT];
    nfds_t used = 1;
    polled[0] = (struct pollfd){.fd = listener, .events = POLLIN};
    struct timespec pause;
    while (ppoll(polled, used, send_due(&pause), NULL) >= 0) {
        if (polled[0].revents && used < LIMIT) {
            int descriptor = accept(listener, NULL, NULL);
            if (descriptor >= 0) polled[used++] = (struct pollfd){.fd = descriptor, .events = POLLIN};
        }
        for (nfds_t i = used; i-- > 1;) {
            if (!polled[i].revents || take(polled[i].fd, &peers[i])) continue;
            close(polled[i].fd);
            free(peers[i].bytes);
            used--;
            polled[i] = polled[used], peers[i] = peers[used];
            peers[used] = (struct peer){0};
        }
    }
    return 0;
}
