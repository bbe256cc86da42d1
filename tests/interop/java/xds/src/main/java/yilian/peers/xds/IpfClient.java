package yilian.peers.xds;

import jakarta.activation.DataHandler;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.List;
import java.util.Random;
import java.util.stream.Collectors;
import org.apache.camel.ProducerTemplate;
import org.apache.camel.impl.DefaultCamelContext;
import org.apache.cxf.attachment.ByteDataSource;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.AssigningAuthority;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.AvailabilityStatus;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.Document;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.DocumentEntry;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.Identifiable;
import org.openehealth.ipf.commons.ihe.xds.core.requests.DocumentReference;
import org.openehealth.ipf.commons.ihe.xds.core.requests.ProvideAndRegisterDocumentSet;
import org.openehealth.ipf.commons.ihe.xds.core.requests.QueryRegistry;
import org.openehealth.ipf.commons.ihe.xds.core.requests.RegisterDocumentSet;
import org.openehealth.ipf.commons.ihe.xds.core.requests.RetrieveDocumentSet;
import org.openehealth.ipf.commons.ihe.xds.core.requests.query.FindDocumentsQuery;
import org.openehealth.ipf.commons.ihe.xds.core.requests.query.QueryReturnType;
import org.openehealth.ipf.commons.ihe.xds.core.responses.QueryResponse;
import org.openehealth.ipf.commons.ihe.xds.core.responses.Response;
import org.openehealth.ipf.commons.ihe.xds.core.responses.RetrievedDocumentSet;

/**
 * IPF as document source and consumer: it provides two documents, finds them, retrieves them, and asks for what there is not.
 *
 * <p>Arguments: host:port, user, password, patient's consortium id, repositoryUniqueId. Each answer is a line:
 * {@code transaction TAB status TAB errors}, and after it a line for each document.
 */
public final class IpfClient {
    private final ProducerTemplate template;
    private final String origin;
    private final String options;

    private IpfClient(ProducerTemplate template, String origin, String user, String password) {
        this.template = template;
        this.origin = origin;
        this.options = "?audit=false&username=" + user + "&password=" + password;
    }

    public static void main(String[] arguments) throws Exception {
        try (DefaultCamelContext context = new DefaultCamelContext()) {
            context.start();
            IpfClient client = new IpfClient(context.createProducerTemplate(), arguments[0], arguments[1], arguments[2]);
            client.run(new Identifiable(arguments[3], new AssigningAuthority(Metadata.CONSORTIUM)), arguments[4]);
        }
    }

    private void run(Identifiable patient, String repository) throws Exception {
        byte[] text = "<ClinicalDocument>出院小结：欧阳珅𠮷</ClinicalDocument>".getBytes(StandardCharsets.UTF_8);
        byte[] picture = new byte[1_500_000];
        new Random(20261120).nextBytes(picture);
        DocumentEntry first = Metadata.entry(patient, "document1", "出院小结：欧阳珅", "text/xml");
        DocumentEntry second = Metadata.entry(patient, "document2", "出院小结影像", "image/jpeg");
        provide(patient, new Document(first, handler(text, "text/xml")), new Document(second, handler(picture, "image/jpeg")));

        DocumentEntry wrong = Metadata.entry(patient, "document3", "哈希不符", "text/xml");
        wrong.setHash("00".repeat(20));
        wrong.setSize((long) text.length);
        provide(patient, new Document(wrong, handler(text, "text/xml")));

        DocumentEntry indexed = Metadata.entry(patient, "document4", "留在院区的文档", "text/xml");
        indexed.setRepositoryUniqueId("1.2.156.10011.99.3.1");
        indexed.setHash("00".repeat(20));
        indexed.setSize(5L);
        register(patient, indexed);

        find(patient);
        Lines.say("sent", sha256(text), sha256(picture));
        retrieve(repository, first.getUniqueId(), second.getUniqueId());
        retrieve(repository, first.getUniqueId(), "1.2.3.4.5.6");
        retrieve("1.2.3.4", first.getUniqueId());
    }

    private void provide(Identifiable patient, Document... documents) {
        ProvideAndRegisterDocumentSet request = new ProvideAndRegisterDocumentSet();
        request.setSubmissionSet(Metadata.set(patient));
        for (Document document : documents) {
            request.getDocuments().add(document);
            request.getAssociations().add(Metadata.member(document.getDocumentEntry()));
        }
        said("iti41", send("xds-iti41", "repository", request, Response.class));
    }

    private void register(Identifiable patient, DocumentEntry entry) {
        RegisterDocumentSet request = new RegisterDocumentSet();
        request.setSubmissionSet(Metadata.set(patient));
        request.getDocumentEntries().add(entry);
        request.getAssociations().add(Metadata.member(entry));
        said("iti42", send("xds-iti42", "registry", request, Response.class));
    }

    private void find(Identifiable patient) {
        FindDocumentsQuery query = new FindDocumentsQuery();
        query.setPatientId(patient);
        query.setStatus(List.of(AvailabilityStatus.APPROVED));
        QueryRegistry request = new QueryRegistry(query);
        request.setReturnType(QueryReturnType.LEAF_CLASS);
        QueryResponse response = send("xds-iti18", "registry", request, QueryResponse.class);
        said("iti18", response);
        for (DocumentEntry entry : response.getDocumentEntries()) {
            String author = entry.getAuthors().get(0).getAuthorPerson().getName().getFamilyName();
            Lines.say("entry", entry.getTitle().getValue(), author, entry.getMimeType(), entry.getRepositoryUniqueId(), entry.getSize());
        }
    }

    private void retrieve(String repository, String... documents) throws Exception {
        RetrieveDocumentSet request = new RetrieveDocumentSet();
        for (String document : documents) {
            request.getDocuments().add(new DocumentReference(repository, document, null));
        }
        RetrievedDocumentSet response = send("xds-iti43", "repository", request, RetrievedDocumentSet.class);
        said("iti43", response);
        for (var document : response.getDocuments()) {
            byte[] content = document.getDataHandler().getInputStream().readAllBytes();
            Lines.say("document", document.getMimeType(), sha256(content));
        }
    }

    private <T> T send(String transaction, String actor, Object request, Class<T> answer) {
        return template.requestBody(transaction + "://" + origin + "/xds/" + actor + options, request, answer);
    }

    private static void said(String transaction, Response response) {
        String errors = response.getErrors().stream()
                .map(error -> error.getErrorCode().getOpcode()).sorted().collect(Collectors.joining(","));
        Lines.say(transaction, response.getStatus(), errors);
        response.getErrors().forEach(error -> System.err.println(error.getCodeContext()));
    }

    private static DataHandler handler(byte[] content, String mimeType) {
        return new DataHandler(new ByteDataSource(content, mimeType));
    }

    private static String sha256(byte[] content) throws Exception {
        return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(content));
    }
}
