package yilian.peers.xds;

import java.util.List;
import java.util.stream.Collectors;
import org.apache.camel.Exchange;
import org.apache.camel.ExchangePattern;
import org.apache.camel.Processor;
import org.apache.camel.ProducerTemplate;
import org.apache.camel.impl.DefaultCamelContext;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.AssigningAuthority;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.AssociationType;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.AvailabilityStatus;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.Identifiable;
import org.openehealth.ipf.commons.ihe.xds.core.requests.QueryRegistry;
import org.openehealth.ipf.commons.ihe.xds.core.requests.query.*;
import org.openehealth.ipf.commons.ihe.xds.core.responses.QueryResponse;
import org.openehealth.ipf.platform.camel.ihe.xds.XdsCamelValidators;

/**
 * IPF as document consumer: every stored query of ITI-18, the two of ITI-51, whole objects and references; IPF checks each request and each answer.
 *
 * <p>Arguments: host:port, user, password, patient's consortium id, ids of a document and a folder, a submission set's uniqueId, a reference id. Each
 * answer is a line: {@code query TAB status TAB errors TAB documents TAB sets TAB folders TAB associations TAB references}.
 */
public final class IpfQueries {
    private static final List<AvailabilityStatus> APPROVED = List.of(AvailabilityStatus.APPROVED);
    private final ProducerTemplate template;
    private final String origin;
    private final String options;

    private IpfQueries(ProducerTemplate template, String[] arguments) {
        this.template = template;
        this.origin = arguments[0];
        this.options = "?audit=false&username=" + arguments[1] + "&password=" + arguments[2];
    }

    public static void main(String[] arguments) throws Exception {
        try (DefaultCamelContext context = new DefaultCamelContext()) {
            context.start();
            IpfQueries queries = new IpfQueries(context.createProducerTemplate(), arguments);
            Identifiable patient = new Identifiable(arguments[3], new AssigningAuthority(Metadata.CONSORTIUM));
            queries.find(patient, arguments[7]);
            queries.get(arguments[4], arguments[5], arguments[6]);
            queries.several(patient);
        }
    }

    private void find(Identifiable patient, String reference) throws Exception {
        FindDocumentsQuery documents = new FindDocumentsQuery();
        documents.setPatientId(patient);
        documents.setStatus(APPROVED);
        documents.setAuthorPersons(List.of("%张%"));
        documents.setClassCodes(List.of(Metadata.code("discharge", Metadata.CONSORTIUM + ".21", "出院")));
        documents.setConfidentialityCodes(new QueryList<>(Metadata.code("N", "2.16.840.1.113883.5.25", "一般")));
        documents.getCreationTime().setFrom("20261120");
        documents.getCreationTime().setTo("20261121");
        ask(documents);
        FindDocumentsByReferenceIdQuery referenced = new FindDocumentsByReferenceIdQuery();
        referenced.setPatientId(patient);
        referenced.setStatus(APPROVED);
        referenced.setReferenceIds(new QueryList<>(reference));
        ask(referenced);
        FindSubmissionSetsQuery sets = new FindSubmissionSetsQuery();
        sets.setPatientId(patient);
        sets.setStatus(APPROVED);
        ask(sets);
        FindFoldersQuery folders = new FindFoldersQuery();
        folders.setPatientId(patient);
        folders.setStatus(APPROVED);
        ask(folders);
        GetAllQuery all = new GetAllQuery();
        all.setPatientId(patient);
        all.setStatusDocuments(APPROVED);
        all.setStatusSubmissionSets(APPROVED);
        all.setStatusFolders(APPROVED);
        ask(all);
    }

    private void get(String document, String folder, String set) throws Exception {
        ask(of(new GetDocumentsQuery(), document));
        ask(of(new GetFoldersQuery(), folder));
        ask(of(new GetAssociationsQuery(), document));
        ask(of(new GetDocumentsAndAssociationsQuery(), document));
        ask(of(new GetSubmissionSetsQuery(), document));
        GetSubmissionSetAndContentsQuery contents = new GetSubmissionSetAndContentsQuery();
        contents.setUniqueId(set);
        ask(contents);
        GetFolderAndContentsQuery inside = new GetFolderAndContentsQuery();
        inside.setUuid(folder);
        ask(inside);
        GetFoldersForDocumentQuery holding = new GetFoldersForDocumentQuery();
        holding.setUuid(document);
        ask(holding);
        GetRelatedDocumentsQuery related = new GetRelatedDocumentsQuery();
        related.setUuid(document);
        related.setAssociationTypes(List.of(AssociationType.REPLACE, AssociationType.APPEND));
        ask(related);
    }

    private void several(Identifiable patient) throws Exception {
        FindDocumentsForMultiplePatientsQuery documents = new FindDocumentsForMultiplePatientsQuery();
        documents.setPatientIds(List.of(patient));
        documents.setStatus(APPROVED);
        ask(documents);
        FindFoldersForMultiplePatientsQuery folders = new FindFoldersForMultiplePatientsQuery();
        folders.setPatientIds(List.of(patient));
        folders.setStatus(APPROVED);
        ask(folders);
    }

    private static <Q extends GetByUuidQuery> Q of(Q query, String id) {
        query.setUuids(List.of(id));
        return query;
    }

    private void ask(Query query) throws Exception {
        boolean multiple = query.getClass().getSimpleName().contains("MultiplePatients");
        QueryResponse whole = send(query, QueryReturnType.LEAF_CLASS, multiple);
        QueryResponse references = send(query, QueryReturnType.OBJECT_REF, multiple);
        String errors = whole.getErrors().stream()
                .map(error -> error.getErrorCode().getOpcode()).sorted().collect(Collectors.joining(","));
        String name = query.getClass().getSimpleName().replace("Query", "");
        Lines.say(name, whole.getStatus(), errors, whole.getDocumentEntries().size(), whole.getSubmissionSets().size(),
                whole.getFolders().size(), whole.getAssociations().size(), references.getReferences().size());
    }

    private QueryResponse send(Query query, QueryReturnType returns, boolean multiple) throws Exception {
        QueryRegistry request = new QueryRegistry(query);
        request.setReturnType(returns);
        Processor asked = multiple ? XdsCamelValidators.iti51RequestValidator() : XdsCamelValidators.iti18RequestValidator();
        Processor answered = multiple ? XdsCamelValidators.iti51ResponseValidator() : XdsCamelValidators.iti18ResponseValidator();
        String endpoint = (multiple ? "xds-iti51://" : "xds-iti18://") + origin + "/xds/registry" + options;
        Exchange exchange = template.send(endpoint, ExchangePattern.InOut, made -> {
            made.getIn().setBody(request);
            asked.process(made);
        });
        if (exchange.getException() != null) {
            throw exchange.getException();
        }
        QueryResponse response = exchange.getMessage().getBody(QueryResponse.class);
        answered.process(exchange);
        return response;
    }
}
