package yilian.peers;

import ca.uhn.hl7v2.DefaultHapiContext;
import ca.uhn.hl7v2.HL7Exception;
import ca.uhn.hl7v2.app.Connection;
import ca.uhn.hl7v2.llp.MinLowerLayerProtocol;
import ca.uhn.hl7v2.model.Group;
import ca.uhn.hl7v2.model.Message;
import ca.uhn.hl7v2.model.Structure;
import ca.uhn.hl7v2.model.v25.segment.ERR;
import ca.uhn.hl7v2.model.v25.segment.PID;
import ca.uhn.hl7v2.parser.ParserConfiguration;
import ca.uhn.hl7v2.util.Terser;
import ca.uhn.hl7v2.util.idgenerator.InMemoryIDGenerator;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;

/**
 * A PIX and PDQ consumer on HAPI's own structures of HL7 v2.5, with its validation: a message that is not of its
 * structure is an error here. Prints for each answer: structure, MSA-1, MSA-2, QAK-2, then each PID-3 as
 * {@code number/namespace/OID} joined by blanks, PID-5-1, ERR-2 of each ERR joined by blanks, DSC-1.
 *
 * <p>Arguments: port, files in UTF-8. {@code @DSC@} in a file is the last pointer that came.
 */
public final class HapiPix {
    public static void main(String[] arguments) throws Exception {
        ParserConfiguration told = new ParserConfiguration();
        told.setIdGenerator(new InMemoryIDGenerator());
        try (DefaultHapiContext context = new DefaultHapiContext(told, new ca.uhn.hl7v2.validation.impl.DefaultValidation(),
                new ca.uhn.hl7v2.parser.DefaultModelClassFactory())) {
            context.setLowerLayerProtocol(new MinLowerLayerProtocol(true));
            Connection connection = context.newClient("127.0.0.1", Integer.parseInt(arguments[0]), false);
            connection.getInitiator().setTimeout(20, TimeUnit.SECONDS);
            String pointer = "";
            for (String file : Arrays.asList(arguments).subList(1, arguments.length)) {
                String text = Files.readString(Path.of(file)).replace("@DSC@", pointer);
                Message answer = connection.getInitiator().sendAndReceive(context.getPipeParser().parse(text));
                List<Structure> found = new ArrayList<>();
                collect(answer, found);
                pointer = get(answer, "/.DSC-1");
                Lines.say(answer.getName(), get(answer, "/.MSA-1"), get(answer, "/.MSA-2"), get(answer, "/.QAK-2"),
                        identifiers(found), get(answer, "/.PID-5-1"), places(found), pointer);
            }
            connection.close();
        }
    }

    private static void collect(Group group, List<Structure> found) throws HL7Exception {
        for (String name : group.getNames()) {
            for (Structure one : group.getAll(name)) {
                if (one instanceof Group inner) {
                    collect(inner, found);
                } else {
                    found.add(one);
                }
            }
        }
    }

    private static String identifiers(List<Structure> found) {
        List<String> said = new ArrayList<>();
        for (Structure one : found) {
            if (one instanceof PID pid) {
                for (var cx : pid.getPatientIdentifierList()) {
                    var authority = cx.getAssigningAuthority();
                    said.add(cx.getIDNumber().getValue() + "/" + authority.getNamespaceID().getValue() + "/"
                            + authority.getUniversalID().getValue());
                }
            }
        }
        return String.join(" ", said);
    }

    private static String places(List<Structure> found) throws HL7Exception {
        List<String> said = new ArrayList<>();
        for (Structure one : found) {
            if (one instanceof ERR err && !err.isEmpty()) {
                said.add(err.getErrorLocation(0).encode());
            }
        }
        return String.join(" ", said);
    }

    private static String get(Message message, String path) {
        try {
            String value = new Terser(message).get(path);
            return value == null ? "" : value;
        } catch (HL7Exception absent) {
            return "";
        }
    }

    private HapiPix() {}
}
