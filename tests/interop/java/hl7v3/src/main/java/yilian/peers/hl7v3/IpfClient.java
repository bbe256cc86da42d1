package yilian.peers.hl7v3;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.camel.Exchange;
import org.apache.camel.Processor;
import org.apache.camel.ProducerTemplate;
import org.apache.camel.impl.DefaultCamelContext;
import org.apache.camel.support.DefaultExchange;
import org.openehealth.ipf.platform.camel.ihe.hl7v3.PixPdqV3CamelValidators;

/**
 * IPF as Patient Identity Source, PIX Consumer and Patient Demographics Consumer. It checks each message and each answer by
 * HL7's schemas and IHE's rules, which it brings along.
 *
 * <p>Arguments: host:port, user, password, files. A file is a v3 message; its root element tells the transaction. Each answer is
 * a line: {@code transaction TAB valid TAB XML}; instead of {@code valid} stands what is wrong with it.
 */
public final class IpfClient {
    private record Transaction(String scheme, String path, Processor request, Processor response) {}

    private static final Transaction FEED = new Transaction(
            "pixv3-iti44", "/pix/v3", PixPdqV3CamelValidators.iti44RequestValidator(), PixPdqV3CamelValidators.iti44ResponseValidator());
    private static final Transaction PIX = new Transaction(
            "pixv3-iti45", "/pix/v3", PixPdqV3CamelValidators.iti45RequestValidator(), PixPdqV3CamelValidators.iti45ResponseValidator());
    private static final Transaction PDQ = new Transaction(
            "pdqv3-iti47", "/pdq/v3", PixPdqV3CamelValidators.iti47RequestValidator(), PixPdqV3CamelValidators.iti47ResponseValidator());
    private static final Map<String, Transaction> TRANSACTIONS = Map.of(
            "PRPA_IN201301UV02", FEED, "PRPA_IN201302UV02", FEED, "PRPA_IN201304UV02", FEED, "PRPA_IN201309UV02", PIX,
            "PRPA_IN201305UV02", PDQ);
    private static final Pattern ROOT = Pattern.compile("<(?:\\w+:)?([A-Z]{4}_IN\\d{6}UV\\d\\d)");

    public static void main(String[] arguments) throws Exception {
        String options = "?audit=false&username=" + arguments[1] + "&password=" + arguments[2];
        try (DefaultCamelContext context = new DefaultCamelContext()) {
            context.start();
            ProducerTemplate template = context.createProducerTemplate();
            for (int n = 3; n < arguments.length; n++) {
                String message = Files.readString(Path.of(arguments[n]));
                Matcher root = ROOT.matcher(message);
                if (!root.find()) {
                    throw new IllegalArgumentException("no v3 message: " + arguments[n]);
                }
                Transaction transaction = TRANSACTIONS.get(root.group(1));
                check(context, transaction.request(), message);
                String address = transaction.scheme() + "://" + arguments[0] + transaction.path() + options;
                String answer = template.requestBody(address, message, String.class);
                Lines.say(transaction.scheme(), verdict(context, transaction.response(), answer), answer.replaceAll("[\\r\\n\\t]+", " "));
            }
        }
    }

    private static String verdict(DefaultCamelContext context, Processor validator, String answer) {
        try {
            check(context, validator, answer);
            return "valid";
        } catch (Exception error) {
            return String.valueOf(error.getMessage()).replaceAll("[\\r\\n\\t]+", " ");
        }
    }

    private static void check(DefaultCamelContext context, Processor validator, String message) throws Exception {
        Exchange exchange = new DefaultExchange(context);
        exchange.getIn().setBody(message);
        validator.process(exchange);
    }

    private IpfClient() {}
}
