/* Time from an envelope's publishing until it is in the next queue, by one process and one clock, at a rate that
 * nothing has to wait for. It publishes by the clock and never waits for an answer: whoever is slow can't slow the
 * questions down.
 *
 *     latency EXCHANGE ACTOR ROUTE QUEUE COUNT SIZE RATE
 *
 * Prints one line of microseconds for each envelope, in their order. Exit code 1 when one does not come. */
#include "broker.h"
#include "envelope.h"
#include <math.h>

enum { PATIENCE = 10 };

static void publish(
    amqp_connection_state_t connection, const char *exchange, const char *actor, struct envelope *envelope,
    unsigned long number) {
    amqp_basic_properties_t properties = persistent();
    set_number(envelope, number);
    amqp_bytes_t body = {.len = envelope->size, .bytes = envelope->bytes};
    amqp_bytes_t to = amqp_cstring_bytes(exchange), key = amqp_cstring_bytes(actor);
    if (amqp_basic_publish(connection, 1, to, key, 1, 0, &properties, body) != 0) fail("publish");
}

int main(int count, char **arguments) {
    if (count != 8) fail("usage: latency EXCHANGE ACTOR ROUTE QUEUE COUNT SIZE RATE");
    unsigned long total = strtoul(arguments[5], NULL, 10), sent = 0, received = 0;
    double interval = 1 / atof(arguments[7]);
    struct envelope envelope = make_envelope(arguments[3], strtoul(arguments[6], NULL, 10));
    double *begin = calloc(total, sizeof *begin), *end = calloc(total, sizeof *end);
    amqp_connection_state_t publisher = open_channel(), consumer = open_channel();
    consume(consumer, arguments[4], 1);

    double start = seconds();
    while (received < total) {
        double now = seconds(), due = start + (double)sent * interval;
        if (sent < total && now >= due) {
            begin[sent] = now;
            publish(publisher, arguments[1], arguments[2], &envelope, sent++);
            continue;
        }
        double pause = sent < total ? due - now : PATIENCE;
        struct timeval wait = {.tv_sec = (time_t)pause, .tv_usec = (suseconds_t)(fmod(pause, 1) * 1e6)};
        amqp_envelope_t delivery;
        amqp_maybe_release_buffers(consumer);
        amqp_rpc_reply_t reply = amqp_consume_message(consumer, &delivery, &wait, 0);
        if (reply.reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION && reply.library_error == AMQP_STATUS_TIMEOUT) {
            if (sent == total) fail("an envelope did not come");
            continue;
        }
        check(reply, "delivery");
        long number = number_of(delivery.message.body.bytes, delivery.message.body.len);
        amqp_destroy_envelope(&delivery);
        if (number < 0 || (unsigned long)number >= total || end[number] > 0)
            fail("an envelope came twice, or is none of these");
        end[number] = seconds();
        received++;
    }
    for (unsigned long i = 0; i < total; i++) printf("%.1f\n", (end[i] - begin[i]) * 1e6);
    amqp_connection_close(publisher, AMQP_REPLY_SUCCESS);
    amqp_connection_close(consumer, AMQP_REPLY_SUCCESS);
    return 0;
}
