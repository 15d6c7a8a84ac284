/* The limit: takes messages from one queue and gives them to the next, and keeps the promises that a sidecar keeps:
 * published persistent and mandatory, acknowledged only after the broker has confirmed. One thread, one connection,
 * nothing else to do.
 *
 *     relay QUEUE EXCHANGE ROUTING_KEY PREFETCH
 *
 * Runs until SIGTERM, and then until all that it has sent is settled. Exit code 0 then, 1 when anything goes wrong. */
#include "broker.h"
#include "confirms.h"
#include <signal.h>

static volatile sig_atomic_t stopping = 0;
static void stop(int signal) { (void)signal; stopping = 1; }

/* Every delivery is published once, in order: delivery n has confirm n. One ack for all that lie together. */
static void settle(amqp_connection_state_t connection, struct confirms *confirms) {
    uint64_t acknowledged = confirms->settled;
    settle_confirmed(confirms);
    if (confirms->settled == acknowledged) return;
    if (amqp_basic_ack(connection, 1, confirms->settled, 1) != 0) fail("ack");
}

int main(int count, char **arguments) {
    if (count != 5) fail("usage: relay QUEUE EXCHANGE ROUTING_KEY PREFETCH");
    uint64_t prefetch = strtoul(arguments[4], NULL, 10);
    struct confirms confirms = make_confirms(prefetch);
    struct sigaction action = {.sa_handler = stop};
    sigaction(SIGTERM, &action, NULL);

    amqp_connection_state_t connection = open_channel();
    amqp_confirm_select(connection, 1);
    check(amqp_get_rpc_reply(connection), "confirm.select");
    amqp_basic_qos(connection, 1, 0, (uint16_t)prefetch, 0);
    check(amqp_get_rpc_reply(connection), "qos");
    consume(connection, arguments[1], 0);

    amqp_bytes_t exchange = amqp_cstring_bytes(arguments[2]), key = amqp_cstring_bytes(arguments[3]);
    amqp_basic_properties_t properties = persistent();
    struct timeval wait = {.tv_usec = 100000}, none = {0};
    while (!stopping || confirms.settled < confirms.published) {
        amqp_frame_t frame;
        amqp_maybe_release_buffers(connection);
        /* What has come already is looked at first; only then is settled, and waited. */
        int status = amqp_simple_wait_frame_noblock(connection, &frame, &none);
        if (status == AMQP_STATUS_TIMEOUT) {
            settle(connection, &confirms);
            status = amqp_simple_wait_frame_noblock(connection, &frame, &wait);
        }
        if (status == AMQP_STATUS_TIMEOUT) continue;
        if (status != AMQP_STATUS_OK) fail("connection lost");
        if (frame.frame_type != AMQP_FRAME_METHOD) continue;
        switch (frame.payload.method.id) {
        case AMQP_BASIC_DELIVER_METHOD: {
            amqp_message_t message;
            check(amqp_read_message(connection, 1, &message, 0), "message");
            if (stopping) { amqp_destroy_message(&message); break; } /* the broker gives it to somebody else */
            if (amqp_basic_publish(connection, 1, exchange, key, 1, 0, &properties, message.body) != 0) fail("publish");
            confirms.published++;
            amqp_destroy_message(&message);
            break;
        }
        case AMQP_BASIC_ACK_METHOD: {
            amqp_basic_ack_t *ack = frame.payload.method.decoded;
            confirm(&confirms, ack->delivery_tag, ack->multiple);
            if (confirms.published - confirms.settled >= prefetch / 2) settle(connection, &confirms);
            break;
        }
        case AMQP_BASIC_NACK_METHOD: fail("the broker refused a message");
        case AMQP_BASIC_RETURN_METHOD: fail("no queue takes a message");
        default: fail("an unexpected method");
        }
    }
    amqp_connection_close(connection, AMQP_REPLY_SUCCESS);
    return 0;
}
