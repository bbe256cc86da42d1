package yilian.peers;

import jakarta.xml.bind.JAXBContext;
import jakarta.xml.bind.Marshaller;
import java.io.StringWriter;
import java.nio.file.Path;
import javax.xml.namespace.QName;
import javax.xml.transform.stream.StreamSource;
import org.apache.cxf.binding.soap.SoapFault;
import org.apache.cxf.endpoint.Client;
import org.apache.cxf.jaxws.endpoint.dynamic.JaxWsDynamicClientFactory;
import org.apache.cxf.service.model.BindingOperationInfo;
import org.apache.cxf.transport.http.HTTPConduit;

/**
 * A client whose classes CXF generates from a published WSDL, as wsdl2java does. Calls the one operation with each file
 * and prints {@code answer TAB XML}, or {@code fault TAB code TAB text TAB detail}.
 *
 * <p>Arguments: the WSDL's address, its target namespace, the port, user, password, files. A file is the body of a call
 * as XML; the generated classes read it, and write it again.
 */
public final class CxfClient {
    public static void main(String[] arguments) throws Exception {
        QName port = new QName(arguments[1], arguments[2]);
        try (Client client = JaxWsDynamicClientFactory.newInstance().createClient(arguments[0], null, port)) {
            var authorization = ((HTTPConduit) client.getConduit()).getAuthorization();
            authorization.setUserName(arguments[3]);
            authorization.setPassword(arguments[4]);
            // SOAP 1.2 faults of the sender come with HTTP 400, which CXF reads on request alone.
            client.getRequestContext().put("org.apache.cxf.transport.process_fault_on_http_400", true);
            for (int n = 5; n < arguments.length; n++) {
                call(client, Path.of(arguments[n]));
            }
        }
    }

    private static void call(Client client, Path file) throws Exception {
        BindingOperationInfo operation =
                client.getEndpoint().getEndpointInfo().getBinding().getOperations().iterator().next();
        Class<?> type = operation.getInput().getMessageParts().get(0).getTypeClass();
        Object body = JAXBContext.newInstance(type).createUnmarshaller().unmarshal(new StreamSource(file.toFile()), type)
                .getValue();
        try {
            Lines.say("answer", xml(client.invoke(operation, body)[0]));
        } catch (SoapFault fault) {
            String detail = fault.getDetail() == null ? "" : fault.getDetail().getTextContent();
            Lines.say("fault", fault.getFaultCode().getLocalPart(), fault.getReason(), detail.strip());
        }
    }

    private static String xml(Object answer) throws Exception {
        Marshaller marshaller = JAXBContext.newInstance(answer.getClass()).createMarshaller();
        marshaller.setProperty(Marshaller.JAXB_FRAGMENT, true);
        StringWriter written = new StringWriter();
        marshaller.marshal(answer, written);
        return written.toString();
    }

    private CxfClient() {}
}
