package yilian.peers;

import ca.uhn.hl7v2.AcknowledgmentCode;
import ca.uhn.hl7v2.DefaultHapiContext;
import ca.uhn.hl7v2.app.Connection;
import ca.uhn.hl7v2.llp.MinLowerLayerProtocol;
import ca.uhn.hl7v2.model.Message;
import ca.uhn.hl7v2.util.Terser;
import java.nio.charset.Charset;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;

/**
 * Sends files by HAPI's own MLLP client, one connection, and prints what each is answered:
 * {@code MSA-1 TAB MSA-2 TAB ERR-8}.
 *
 * <p>Arguments: port, the charset of the line ({@code MSH-18} lets HAPI take each message's own), files. A file is a
 * message in UTF-8. With the property {@code tls} it speaks TLS, by the key and trust stores of javax.net.ssl.
 */
public final class HapiSender {
    public static void main(String[] arguments) throws Exception {
        try (DefaultHapiContext context = Hapi.context()) {
            context.setLowerLayerProtocol(protocol(arguments[1]));
            Connection connection = context.newClient("127.0.0.1", Integer.parseInt(arguments[0]), Boolean.getBoolean("tls"));
            connection.getInitiator().setTimeout(20, TimeUnit.SECONDS);
            for (int n = 2; n < arguments.length; n++) {
                Message message = context.getPipeParser().parse(Files.readString(Path.of(arguments[n])));
                Terser answer = new Terser(connection.getInitiator().sendAndReceive(message));
                String code = AcknowledgmentCode.valueOf(answer.get("/MSA-1")).name();
                Lines.say(code, answer.get("/MSA-2"), Hapi.reason(answer));
            }
            connection.close();
        }
    }

    private static MinLowerLayerProtocol protocol(String charset) {
        if (charset.equals("MSH-18")) {
            return new MinLowerLayerProtocol(true);
        }
        MinLowerLayerProtocol protocol = new MinLowerLayerProtocol();
        protocol.setCharset(Charset.forName(charset));
        return protocol;
    }

    private HapiSender() {}
}
