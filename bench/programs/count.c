/* Takes all messages out of queues, and tells which of the envelopes 0 ... COUNT - 1 were there: once, or more
 * often.
 *
 *     count COUNT QUEUE ...
 *
 * Prints: DISTINCT REPEATED OTHERS. Ends when all have come and nothing more does, or when nothing comes for some
 * seconds. */
#include "broker.h"
#include "envelope.h"

enum { PATIENCE = 5, AFTERWARDS_MICROSECONDS = 200000 };

int main(int count, char **arguments) {
    if (count < 3) fail("usage: count COUNT QUEUE ...");
    long total = atol(arguments[1]), distinct = 0, repeated = 0, others = 0;
    unsigned char *seen = calloc((size_t)total + 1, 1);
    amqp_connection_state_t connection = open_channel();
    for (int i = 2; i < count; i++) consume(connection, arguments[i], 1);
    for (;;) {
        struct timeval patience = {.tv_sec = PATIENCE};
        if (distinct == total) patience = (struct timeval){.tv_usec = AFTERWARDS_MICROSECONDS};
        amqp_envelope_t delivery;
        amqp_maybe_release_buffers(connection);
        amqp_rpc_reply_t reply = amqp_consume_message(connection, &delivery, &patience, 0);
        if (reply.reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION && reply.library_error == AMQP_STATUS_TIMEOUT) break;
        check(reply, "delivery");
        long number = number_of(delivery.message.body.bytes, delivery.message.body.len);
        amqp_destroy_envelope(&delivery);
        if (number < 0 || number >= total) others++;
        else if (seen[number]) repeated++;
        else seen[number] = 1, distinct++;
    }
    printf("%ld %ld %ld\n", distinct, repeated, others);
    amqp_connection_close(connection, AMQP_REPLY_SUCCESS);
    return 0;
}
