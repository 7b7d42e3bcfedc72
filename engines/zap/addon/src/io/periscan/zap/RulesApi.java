package io.periscan.zap;

import io.periscan.zap.active.ActiveRule;
import io.periscan.zap.active.CallbackListener;
import io.periscan.zap.passive.PassiveRule;
import io.periscan.zap.passive.PassiveRules;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import net.sf.json.JSONObject;
import org.parosproxy.paros.control.Control;
import org.parosproxy.paros.core.scanner.Plugin;
import org.zaproxy.zap.extension.api.ApiException;
import org.zaproxy.zap.extension.api.ApiImplementor;
import org.zaproxy.zap.extension.api.ApiResponse;
import org.zaproxy.zap.extension.api.ApiResponseElement;
import org.zaproxy.zap.extension.api.ApiResponseList;
import org.zaproxy.zap.extension.api.ApiResponseSet;
import org.zaproxy.zap.extension.api.ApiView;
import org.zaproxy.zap.extension.ascan.ExtensionActiveScan;

/** `periscan/view/rules`: what is loaded, with what the add-on knows of each. `periscan/view/listener`: where targets can be told to call. */
final class RulesApi extends ApiImplementor {
    RulesApi() {
        addApiView(new ApiView("rules"));
        addApiView(new ApiView("listener"));
    }

    @Override
    public String getPrefix() {
        return "periscan";
    }

    @Override
    public ApiResponse handleApiView(String name, JSONObject params) throws ApiException {
        return switch (name) {
            case "rules" -> listRules();
            case "listener" -> new ApiResponseElement(name, CallbackListener.address());
            default -> throw new ApiException(ApiException.Type.BAD_VIEW, name);
        };
    }

    private static ApiResponse listRules() {
        ApiResponseList list = new ApiResponseList("rules");
        Stream<Rule> passive = PassiveRules.all().stream().map(PassiveRule::rule);
        Stream.concat(passive, activeRules()).forEach((rule) -> list.addItem(new ApiResponseSet<>("rule", describe(rule))));
        return list;
    }

    /** As the core loaded them from ZapAddOn.xml. */
    private static Stream<Rule> activeRules() {
        List<Plugin> plugins = Control.getSingleton()
                .getExtensionLoader()
                .getExtension(ExtensionActiveScan.class)
                .getPolicyManager()
                .getDefaultScanPolicy()
                .getPluginFactory()
                .getAllPlugin();
        return plugins.stream().filter(ActiveRule.class::isInstance).map((plugin) -> ((ActiveRule) plugin).rule());
    }

    private static Map<String, String> describe(Rule rule) {
        Map<String, String> fields = new LinkedHashMap<>();
        fields.put("id", String.valueOf(rule.id()));
        fields.put("title", rule.title());
        fields.put("kind", rule.isPassive() ? "passive" : "active");
        fields.put("level", rule.level().name());
        fields.put("cwe", String.valueOf(rule.cwe()));
        return fields;
    }
}
