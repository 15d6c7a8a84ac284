/* Which of the messages published on a channel the broker has confirmed. It counts them from 1, confirms one or all
 * up to one, and not in order. */
#include <stdint.h>
#include <stdlib.h>

struct confirms {
    uint64_t published; /* messages 1...published have been sent */
    uint64_t settled;   /* messages 1...settled have all been confirmed */
    uint64_t ring;
    unsigned char *flags; /* of settled + 1 ... published */
};

/* For at most so many at a time that are not confirmed. */
static inline struct confirms make_confirms(uint64_t window) {
    return (struct confirms){.ring = window + 1, .flags = calloc(window + 1, 1)};
}

static inline void confirm(struct confirms *confirms, uint64_t tag, int multiple) {
    for (uint64_t n = multiple ? confirms->settled + 1 : tag; n <= tag; n++) confirms->flags[n % confirms->ring] = 1;
}

/* Takes what lies together into `settled`. */
static inline void settle_confirmed(struct confirms *confirms) {
    while (confirms->settled < confirms->published && confirms->flags[(confirms->settled + 1) % confirms->ring]) {
        confirms->settled++;
        confirms->flags[confirms->settled % confirms->ring] = 0;
    }
}
