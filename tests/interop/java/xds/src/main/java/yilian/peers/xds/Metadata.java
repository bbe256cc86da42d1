package yilian.peers.xds;

import java.util.UUID;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.AssigningAuthority;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.Association;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.AssociationLabel;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.AssociationType;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.Author;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.AvailabilityStatus;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.Code;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.DocumentEntry;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.Identifiable;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.LocalizedString;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.Organization;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.Person;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.SubmissionSet;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.XpnName;

/** What a document source says of its documents, by the codes of the consortium's affinity domain. */
final class Metadata {
    static final String CONSORTIUM = "1.2.156.10011.99.0";
    static final String CAMPUS = "1.2.156.10011.99.2";
    static final String SET = "submissionSet";

    static DocumentEntry entry(Identifiable patient, String id, String title, String mimeType) {
        DocumentEntry entry = new DocumentEntry();
        entry.setEntryUuid(id);
        entry.setUniqueId(oid());
        entry.setAvailabilityStatus(AvailabilityStatus.APPROVED);
        entry.setPatientId(patient);
        entry.setSourcePatientId(new Identifiable("HP000123", new AssigningAuthority(CAMPUS)));
        entry.setTitle(new LocalizedString(title, "zh-CN", "UTF-8"));
        entry.setMimeType(mimeType);
        entry.setLanguageCode("zh-CN");
        entry.setCreationTime("20261120093000");
        entry.setClassCode(code("discharge", CONSORTIUM + ".21", "出院"));
        entry.setTypeCode(code("C0053", "2.16.156.10011.2.4", "出院小结"));
        entry.setFormatCode(code("wst500-cda", CONSORTIUM + ".23", "WS/T 500"));
        entry.getConfidentialityCodes().add(code("N", "2.16.840.1.113883.5.25", "一般"));
        entry.setHealthcareFacilityTypeCode(code("tertiary-hospital", CONSORTIUM + ".24", "三级医院"));
        entry.setPracticeSettingCode(code("03", CONSORTIUM + ".25", "内科"));
        entry.getAuthors().add(author());
        return entry;
    }

    static SubmissionSet set(Identifiable patient) {
        SubmissionSet set = new SubmissionSet();
        set.setEntryUuid(SET);
        set.setUniqueId(oid());
        set.setAvailabilityStatus(AvailabilityStatus.APPROVED);
        set.setPatientId(patient);
        set.setSourceId(CAMPUS);
        set.setSubmissionTime("20261120093100");
        set.setContentTypeCode(code("inpatient", CONSORTIUM + ".26", "住院"));
        set.setTitle(new LocalizedString("出院资料", "zh-CN", "UTF-8"));
        set.getAuthors().add(author());
        return set;
    }

    static Association member(DocumentEntry entry) {
        Association association = new Association(AssociationType.HAS_MEMBER, "member-" + entry.getEntryUuid(), SET, entry.getEntryUuid());
        association.setLabel(AssociationLabel.ORIGINAL);
        return association;
    }

    private static Author author() {
        Author author = new Author();
        author.setAuthorPerson(new Person(
                new Identifiable("D1", new AssigningAuthority(CAMPUS)), new XpnName("欧阳", "珅", null, null, null, null)));
        author.getAuthorInstitution().add(new Organization("黄埔院区"));
        return author;
    }

    static Code code(String code, String scheme, String name) {
        return new Code(code, new LocalizedString(name, "zh-CN", "UTF-8"), scheme);
    }

    private static String oid() {
        return "2.25." + new java.math.BigInteger(UUID.randomUUID().toString().replace("-", ""), 16);
    }

    private Metadata() {}
}
