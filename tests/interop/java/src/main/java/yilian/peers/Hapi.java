package yilian.peers;

import ca.uhn.hl7v2.DefaultHapiContext;
import ca.uhn.hl7v2.HL7Exception;
import ca.uhn.hl7v2.parser.GenericModelClassFactory;
import ca.uhn.hl7v2.parser.ParserConfiguration;
import ca.uhn.hl7v2.util.Terser;
import ca.uhn.hl7v2.util.idgenerator.InMemoryIDGenerator;
import ca.uhn.hl7v2.validation.impl.ValidationContextFactory;

/** HAPI as both peers use it: any version and type, no validation. */
final class Hapi {
    static DefaultHapiContext context() {
        ParserConfiguration told = new ParserConfiguration();
        told.setIdGenerator(new InMemoryIDGenerator()); // the default one writes a file
        return new DefaultHapiContext(
                told, ValidationContextFactory.noValidation(), new GenericModelClassFactory());
    }

    static String reason(Terser answer) {
        try {
            String reason = answer.get("/ERR-8");
            return reason == null ? "" : reason;
        } catch (HL7Exception withoutErr) {
            return "";
        }
    }

    private Hapi() {}
}
