/* The envelopes that are sent: they differ in a number, by which whoever receives them tells them apart. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char id[] = "\"id\":\"e-";
enum { DIGITS = 8 };

struct envelope { char *bytes; size_t size; };

static inline struct envelope make_envelope(const char *route, size_t payload) {
    struct envelope made = {.bytes = malloc(payload + strlen(route) + 128)};
    int head = sprintf(made.bytes, "{%s%0*d\",\"route\":{\"actors\":%s,\"current\":0},\"headers\":{},\"payload\":\"",
                       id, DIGITS, 0, route);
    memset(made.bytes + head, 'x', payload);
    memcpy(made.bytes + head + payload, "\"}", 3);
    made.size = (size_t)head + payload + 2;
    return made;
}

static inline void set_number(struct envelope *envelope, unsigned long number) {
    char digits[24];
    snprintf(digits, sizeof digits, "%0*lu", DIGITS, number);
    memcpy(envelope->bytes + 1 + sizeof id - 1, digits, DIGITS);
}

/* -1 where it has none. */
static inline long number_of(const char *bytes, size_t size) {
    const char *found = memmem(bytes, size, id, sizeof id - 1);
    if (!found || (size_t)(bytes + size - found) < sizeof id - 1 + DIGITS) return -1;
    long number = 0;
    for (const char *digit = found + sizeof id - 1; digit < found + sizeof id - 1 + DIGITS; digit++) {
        if (!isdigit((unsigned char)*digit)) return -1;
        number = number * 10 + (*digit - '0');
    }
    return number;
}
