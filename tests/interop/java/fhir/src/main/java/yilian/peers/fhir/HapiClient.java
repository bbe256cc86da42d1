package yilian.peers.fhir;

import ca.uhn.fhir.context.FhirContext;
import ca.uhn.fhir.rest.api.EncodingEnum;
import ca.uhn.fhir.rest.api.MethodOutcome;
import ca.uhn.fhir.rest.client.api.IGenericClient;
import ca.uhn.fhir.rest.client.api.ServerValidationModeEnum;
import ca.uhn.fhir.rest.client.interceptor.BearerTokenAuthInterceptor;
import ca.uhn.fhir.rest.server.exceptions.BaseServerResponseException;
import java.util.List;
import java.util.stream.Collectors;
import org.hl7.fhir.r4.model.BooleanType;
import org.hl7.fhir.r4.model.Bundle;
import org.hl7.fhir.r4.model.Enumerations.AdministrativeGender;
import org.hl7.fhir.r4.model.Identifier;
import org.hl7.fhir.r4.model.OperationOutcome;
import org.hl7.fhir.r4.model.Parameters;
import org.hl7.fhir.r4.model.Patient;
import org.hl7.fhir.r4.model.StringType;
import org.hl7.fhir.r4.model.UriType;

/**
 * The HAPI FHIR client as Patient Identity Source, PIX Consumer and Patient Demographics Consumer: ITI-104, 83, 78, 119.
 *
 * <p>Arguments: address of the FHIR face, bearer token. It feeds a patient, finds them in every way, resolves a duplicate, and
 * asks for what there is not; each answer is a line.
 */
public final class HapiClient {
    private static final String HP = "urn:oid:1.2.156.10011.99.2";
    private static final String MAIN = "urn:oid:1.2.156.10011.99.1";
    private static final String CARD = "urn:oid:2.16.156.10011.1.3";

    private final IGenericClient client;

    private HapiClient(IGenericClient client) {
        this.client = client;
    }

    public static void main(String[] arguments) {
        FhirContext context = FhirContext.forR4();
        context.getRestfulClientFactory().setServerValidationMode(ServerValidationModeEnum.ONCE);
        IGenericClient client = context.newRestfulGenericClient(arguments[0]);
        client.setEncoding(EncodingEnum.JSON);
        client.registerInterceptor(new BearerTokenAuthInterceptor(arguments[1]));
        new HapiClient(client).run();
    }

    private void run() {
        feed("fed", wang("HP-7"));
        feed("fed", wang("HP-8"));
        Patient duplicate = wang("HP-8").setActive(false);
        duplicate.addLink().setType(Patient.LinkType.REPLACEDBY).getOther()
                .setIdentifier(new Identifier().setSystem(HP).setValue("HP-7"));
        feed("resolved", duplicate);
        pix(HP + "|HP-7", true, MAIN);
        pix(HP + "|HP-7", false, MAIN);
        pix(HP + "|HP-8", true);
        pix("urn:oid:1.2.3|HP-7", true);
        pix(HP + "|HP-7", true, "urn:oid:1.2.3");
        Bundle found = client.search().forResource(Patient.class)
                .where(Patient.FAMILY.matches().value("王")).and(Patient.GIVEN.matches().value("珅"))
                .and(Patient.BIRTHDATE.exactly().day("1949-12-31")).returnBundle(Bundle.class).execute();
        said("searched", found);
        Parameters match = new Parameters();
        match.addParameter().setName("resource").setResource(wang("HP-7"));
        match.addParameter().setName("onlyCertainMatches").setValue(new BooleanType(true));
        said("matched", client.operation().onType(Patient.class).named("$match").withParameters(match)
                .returnResourceType(Bundle.class).execute());
        client.delete().resourceConditionalByType(Patient.class)
                .where(Patient.IDENTIFIER.exactly().systemAndIdentifier(HP, "HP-7")).execute();
        pix(HP + "|HP-7", true);
    }

    private static Patient wang(String number) {
        Patient patient = new Patient().setGender(AdministrativeGender.MALE);
        patient.addIdentifier().setSystem(HP).setValue(number);
        patient.addIdentifier().setSystem(CARD).setValue("11010519491231002X");
        patient.addName().setFamily("王").addGiven("珅");
        patient.getBirthDateElement().setValueAsString("1949-12-31");
        return patient;
    }

    private void feed(String what, Patient patient) {
        String number = patient.getIdentifierFirstRep().getValue();
        MethodOutcome outcome = client.update().resource(patient).conditional()
                .where(Patient.IDENTIFIER.exactly().systemAndIdentifier(HP, number)).execute();
        Lines.say(what, outcome.getResponseStatusCode());
    }

    private void pix(String source, boolean get, String... targets) {
        Parameters asked = new Parameters();
        asked.addParameter("sourceIdentifier", new StringType(source));
        for (String target : targets) {
            asked.addParameter("targetSystem", new UriType(target));
        }
        var operation = client.operation().onType(Patient.class).named("$ihe-pix").withParameters(asked);
        try {
            Parameters answer = (get ? operation.useHttpGet() : operation).execute();
            List<String> ids = answer.getParameter().stream().filter(one -> one.getValue() instanceof Identifier)
                    .map(one -> (Identifier) one.getValue()).map(one -> one.getSystem() + "|" + one.getValue()).toList();
            Lines.say("pix", 200, String.join(",", ids));
        } catch (BaseServerResponseException error) {
            var issue = ((OperationOutcome) error.getOperationOutcome()).getIssueFirstRep();
            Lines.say("pix", error.getStatusCode(), issue.getCode().toCode(), issue.getDiagnostics());
        }
    }

    private static void said(String what, Bundle found) {
        String people = found.getEntry().stream().map(one -> {
            Patient patient = (Patient) one.getResource();
            String grade = one.getSearch().getExtension().stream()
                    .map(extension -> " " + extension.getValue().primitiveValue()).collect(Collectors.joining());
            return patient.getNameFirstRep().getText() + grade;
        }).collect(Collectors.joining(","));
        Lines.say(what, people);
    }
}
