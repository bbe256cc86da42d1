package yilian.peers.hl7v3;

import java.util.UUID;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.camel.builder.RouteBuilder;
import org.apache.camel.impl.DefaultCamelContext;
import org.apache.catalina.Context;
import org.apache.catalina.startup.Tomcat;
import org.apache.cxf.BusFactory;
import org.apache.cxf.transport.servlet.CXFNonSpringServlet;
import org.openehealth.ipf.platform.camel.ihe.hl7v3.PixPdqV3CamelValidators;

/**
 * IPF as Patient Identifier Cross-reference Consumer: it takes ITI-46 at {@code /pix}, checks each notice and its own answer by
 * HL7's schemas, and says {@code valid TAB XML}; instead of {@code valid} stands what is wrong.
 *
 * <p>Arguments: port, extension of the id of a patient whose notice it refuses.
 */
public final class IpfConsumer {
    private static final Pattern ID = Pattern.compile("<(?:\\w+:)?id root=\"([^\"]+)\"");
    private static final String DEVICE = "<device classCode=\"DEV\" determinerCode=\"INSTANCE\"><id root=\"1.2.3\"/></device>";

    public static void main(String[] arguments) throws Exception {
        CXFNonSpringServlet servlet = new CXFNonSpringServlet();
        servlet.setBus(BusFactory.getDefaultBus());
        Tomcat tomcat = new Tomcat();
        tomcat.setBaseDir("tomcat");
        tomcat.setHostname("127.0.0.1");
        tomcat.setPort(Integer.parseInt(arguments[0]));
        tomcat.getConnector().setProperty("address", "127.0.0.1");
        Context context = tomcat.addContext("", null);
        Tomcat.addServlet(context, "cxf", servlet).setLoadOnStartup(1);
        context.addServletMappingDecoded("/*", "cxf");
        tomcat.start();
        DefaultCamelContext camel = new DefaultCamelContext();
        camel.addRoutes(new RouteBuilder() {
            @Override
            public void configure() {
                errorHandler(noErrorHandler());
                from("pixv3-iti46:pix?audit=false").process(exchange -> {
                    String notice = exchange.getIn().getBody(String.class);
                    String verdict = "valid";
                    try {
                        PixPdqV3CamelValidators.iti46RequestValidator().process(exchange);
                    } catch (Exception error) {
                        verdict = String.valueOf(error.getMessage()).replaceAll("[\\r\\n\\t]+", " ");
                    }
                    Lines.say(verdict, notice.replaceAll("[\\r\\n\\t]+", " "));
                    boolean refused = notice.contains("extension=\"" + arguments[1] + "\"");
                    exchange.getMessage().setBody(answer(notice, refused ? "CE" : "CA"));
                    PixPdqV3CamelValidators.iti46ResponseValidator().process(exchange);
                });
            }
        });
        camel.start();
        Lines.say("ready");
        Thread.currentThread().join();
    }

    private static String answer(String notice, String code) {
        Matcher id = ID.matcher(notice);
        if (!id.find()) {
            throw new IllegalArgumentException("a notice without an id");
        }
        return "<MCCI_IN000002UV01 xmlns=\"urn:hl7-org:v3\" ITSVersion=\"XML_1.0\"><id root=\"" + UUID.randomUUID() + "\"/>"
                + "<creationTime value=\"20261125090000\"/><interactionId root=\"2.16.840.1.113883.1.6\" extension=\"MCCI_IN000002UV01\"/>"
                + "<processingCode code=\"P\"/><processingModeCode code=\"T\"/><acceptAckCode code=\"NE\"/>"
                + "<receiver typeCode=\"RCV\">" + DEVICE + "</receiver><sender typeCode=\"SND\">" + DEVICE + "</sender>"
                + "<acknowledgement><typeCode code=\"" + code + "\"/><targetMessage><id root=\"" + id.group(1)
                + "\"/></targetMessage></acknowledgement></MCCI_IN000002UV01>";
    }

    private IpfConsumer() {}
}
