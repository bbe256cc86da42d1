package yilian.peers;

import java.util.Base64;
import org.apache.camel.builder.RouteBuilder;
import org.apache.camel.impl.DefaultCamelContext;

/**
 * Camel's MLLP consumer, which acknowledges by itself. Prints {@code control id TAB message in Base64}.
 *
 * <p>Arguments: port; control ids whose processing fails, so that Camel answers AE.
 */
public final class CamelReceiver {
    public static void main(String[] arguments) throws Exception {
        DefaultCamelContext context = new DefaultCamelContext();
        context.addRoutes(new RouteBuilder() {
            @Override
            public void configure() {
                errorHandler(noErrorHandler()); // the consumer sees the failure and answers
                from("mllp:127.0.0.1:" + arguments[0] + "?stringPayload=false").process(exchange -> {
                    byte[] body = exchange.getMessage().getBody(byte[].class);
                    Object id = exchange.getMessage().getHeader("CamelMllpMessageControlId");
                    Lines.say(id, Base64.getEncoder().encodeToString(body));
                    for (int n = 1; n < arguments.length; n++) {
                        if (arguments[n].equals(id)) {
                            throw new IllegalStateException("as the test asks");
                        }
                    }
                });
            }
        });
        context.start();
        Lines.say("ready");
        Thread.currentThread().join();
    }

    private CamelReceiver() {}
}
