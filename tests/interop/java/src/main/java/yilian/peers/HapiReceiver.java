package yilian.peers;

import ca.uhn.hl7v2.AcknowledgmentCode;
import ca.uhn.hl7v2.DefaultHapiContext;
import ca.uhn.hl7v2.HL7Exception;
import ca.uhn.hl7v2.app.HL7Service;
import ca.uhn.hl7v2.llp.MinLowerLayerProtocol;
import ca.uhn.hl7v2.model.Message;
import ca.uhn.hl7v2.protocol.ReceivingApplication;
import ca.uhn.hl7v2.util.Terser;
import java.io.IOException;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Map;
import java.util.Queue;

/**
 * HAPI's own MLLP server. Prints {@code control id TAB answer TAB PID-5.1} of each message.
 *
 * <p>Arguments: port; then what it answers, in order: {@code AA}, {@code AE}, {@code AR}, or {@code LATE}, which is AA
 * once a line comes in on standard input. After the last, AA.
 */
public final class HapiReceiver implements ReceivingApplication<Message> {
    private final Queue<String> answers;

    private HapiReceiver(Queue<String> answers) {
        this.answers = answers;
    }

    public static void main(String[] arguments) throws Exception {
        DefaultHapiContext context = Hapi.context();
        context.setLowerLayerProtocol(new MinLowerLayerProtocol(true));
        HL7Service service = context.newServer(Integer.parseInt(arguments[0]), false);
        Queue<String> answers = new ArrayDeque<>(Arrays.asList(arguments).subList(1, arguments.length));
        service.registerApplication(new HapiReceiver(answers));
        service.startAndWait();
        Lines.say("ready");
    }

    @Override
    public Message processMessage(Message message, Map<String, Object> metadata) {
        try {
            String answer = next();
            Terser terser = new Terser(message);
            Lines.say(terser.get("/MSH-10"), answer, terser.get("/PID-5-1"));
            if (answer.equals("LATE")) {
                while (System.in.read() != '\n') {
                    continue;
                }
                answer = "AA";
            }
            HL7Exception reason = answer.equals("AA") ? null : new HL7Exception("按测试要求");
            return message.generateACK(AcknowledgmentCode.valueOf(answer), reason);
        } catch (HL7Exception | IOException error) {
            throw new IllegalStateException(error);
        }
    }

    private synchronized String next() {
        String answer = answers.poll();
        return answer == null ? "AA" : answer;
    }

    @Override
    public boolean canProcess(Message message) {
        return true;
    }
}
