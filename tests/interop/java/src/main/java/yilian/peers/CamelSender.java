package yilian.peers;

import java.nio.file.Files;
import java.nio.file.Path;
import org.apache.camel.CamelExecutionException;
import org.apache.camel.Exchange;
import org.apache.camel.impl.DefaultCamelContext;

/**
 * Sends files by Camel's MLLP producer and prints what each is answered: {@code MSA-1 TAB the exception, if any}.
 *
 * <p>Arguments: port, files. A file is a message as it goes over the line.
 */
public final class CamelSender {
    public static void main(String[] arguments) throws Exception {
        try (DefaultCamelContext context = new DefaultCamelContext()) {
            context.start();
            var template = context.createProducerTemplate();
            String target = "mllp:127.0.0.1:" + arguments[0] + "?stringPayload=false&readTimeout=20000";
            for (int n = 1; n < arguments.length; n++) {
                byte[] body = Files.readAllBytes(Path.of(arguments[n]));
                Exchange done = template.send(target, exchange -> exchange.getMessage().setBody(body));
                Exception failure = done.getException();
                Object code = done.getMessage().getHeader("CamelMllpAcknowledgementType");
                Lines.say(code, failure == null ? "" : failure.getClass().getSimpleName());
            }
        }
    }

    private CamelSender() {}
}
