<?xml version="1.0" encoding="UTF-8"?>
<!-- A WS/T 500 document as a flat one, which the maps of rules/campuses/*/cda-*.yaml read. Nothing is looked up or
     left away here: codes stay as sent, and the map says what they mean. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform" xmlns:v3="urn:hl7-org:v3"
                xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" exclude-result-prefixes="v3 xsi">
  <xsl:output method="xml" encoding="UTF-8"/>
  <xsl:variable name="national" select="'2.16.156.10011.'"/>
  <xsl:variable name="role" select="/v3:ClinicalDocument/v3:recordTarget/v3:patientRole"/>
  <xsl:variable name="visit" select="/v3:ClinicalDocument/v3:componentOf/v3:encompassingEncounter"/>

  <xsl:template match="/v3:ClinicalDocument">
    <文书>
      <类型><xsl:value-of select="v3:code/@code"/></类型>
      <编号><xsl:value-of select="v3:id/@extension"/></编号>
      <标题><xsl:value-of select="normalize-space(v3:title)"/></标题>
      <生成时间><xsl:value-of select="v3:effectiveTime/@value"/></生成时间>
      <!-- What surgery is known by: the request, else the set of its documents' versions. -->
      <手术单号>
        <xsl:choose>
          <xsl:when test="normalize-space($role/v3:id[@root='2.16.156.10011.1.24']/@extension)"><xsl:value-of select="$role/v3:id[@root='2.16.156.10011.1.24']/@extension"/></xsl:when>
          <xsl:when test="normalize-space(v3:setId/@extension)"><xsl:value-of select="v3:setId/@extension"/></xsl:when>
          <xsl:otherwise><xsl:value-of select="v3:id/@extension"/></xsl:otherwise>
        </xsl:choose>
      </手术单号>
      <版本号><xsl:value-of select="v3:versionNumber/@value"/></版本号>
      <替换><xsl:value-of select="v3:relatedDocument[@typeCode='RPLC']/v3:parentDocument/v3:id/@extension"/></替换>
      <作者>
        <工号><xsl:value-of select="v3:author[1]/v3:assignedAuthor/v3:id/@extension"/></工号>
        <姓名><xsl:value-of select="normalize-space(v3:author[1]/v3:assignedAuthor/v3:assignedPerson/v3:name)"/></姓名>
        <时间><xsl:value-of select="v3:author[1]/v3:time/@value"/></时间>
      </作者>
      <xsl:call-template name="patient"/>
      <xsl:call-template name="visit"/>
      <xsl:apply-templates select="v3:component" mode="parts"/>
    </文书>
  </xsl:template>

  <!-- 患者: the campus's own number is the one whose root is not of the nation; its domain stands beside it. -->
  <xsl:template name="patient">
    <xsl:variable name="own" select="$role/v3:id[not(starts-with(@root, $national))][normalize-space(@extension)][1]"/>
    <患者>
      <编号域><xsl:value-of select="$own/@root"/></编号域>
      <编号><xsl:value-of select="$own/@extension"/></编号>
      <姓名><xsl:value-of select="normalize-space($role/v3:patient/v3:name)"/></姓名>
      <性别><xsl:value-of select="$role/v3:patient/v3:administrativeGenderCode/@code"/></性别>
      <出生日期><xsl:value-of select="$role/v3:patient/v3:birthTime/@value"/></出生日期>
      <身份证号><xsl:value-of select="$role/v3:patient/v3:id[@root='2.16.156.10011.1.3']/@extension"/></身份证号>
      <电话><xsl:value-of select="$role/v3:telecom[1]/@value"/></电话>
      <地址><xsl:value-of select="normalize-space($role/v3:addr[1])"/></地址>
    </患者>
    <单号>
      <门诊号><xsl:value-of select="$role/v3:id[@root='2.16.156.10011.1.11']/@extension"/></门诊号>
      <住院号><xsl:value-of select="$role/v3:id[@root='2.16.156.10011.1.12']/@extension"/></住院号>
      <申请单><xsl:value-of select="$role/v3:id[@root='2.16.156.10011.1.24']/@extension"/></申请单>
      <处方><xsl:value-of select="$role/v3:id[@root='2.16.156.10011.1.20']/@extension"/></处方>
      <检查报告><xsl:value-of select="$role/v3:id[@root='2.16.156.10011.1.32']/@extension"/></检查报告>
      <检验报告><xsl:value-of select="$role/v3:id[@root='2.16.156.10011.1.33']/@extension"/></检验报告>
    </单号>
  </xsl:template>

  <!-- 就诊: its own id, else the inpatient or outpatient number. -->
  <xsl:template name="visit">
    <xsl:variable name="inpatient" select="$role/v3:id[@root='2.16.156.10011.1.12'][normalize-space(@extension)]"/>
    <xsl:variable name="outpatient" select="$role/v3:id[@root='2.16.156.10011.1.11'][normalize-space(@extension)]"/>
    <xsl:variable name="place" select="($visit//v3:wholeOrganization | $role/v3:providerOrganization)[v3:id/@root='2.16.156.10011.1.26'][1]"/>
    <就诊>
      <编号>
        <xsl:choose>
          <xsl:when test="normalize-space($visit/v3:id/@extension)"><xsl:value-of select="$visit/v3:id/@extension"/></xsl:when>
          <xsl:when test="$inpatient"><xsl:value-of select="$inpatient/@extension"/></xsl:when>
          <xsl:otherwise><xsl:value-of select="$outpatient/@extension"/></xsl:otherwise>
        </xsl:choose>
      </编号>
      <类别>
        <xsl:choose>
          <xsl:when test="normalize-space($visit/v3:code/@code)"><xsl:value-of select="$visit/v3:code/@code"/></xsl:when>
          <xsl:when test="$inpatient">3</xsl:when>
          <xsl:when test="$outpatient">1</xsl:when>
        </xsl:choose>
      </类别>
      <开始><xsl:value-of select="$visit/v3:effectiveTime/v3:low/@value | $visit/v3:effectiveTime/@value"/></开始>
      <结束><xsl:value-of select="$visit/v3:effectiveTime/v3:high/@value"/></结束>
      <科室代码><xsl:value-of select="$place/v3:id/@extension"/></科室代码>
      <科室名称><xsl:value-of select="normalize-space($place/v3:name)"/></科室名称>
      <床位><xsl:value-of select="normalize-space($visit//v3:wholeOrganization[v3:id/@root='2.16.156.10011.1.22']/v3:name)"/></床位>
    </就诊>
  </xsl:template>

  <xsl:template match="v3:component" mode="parts">
    <xsl:apply-templates select=".//v3:observation[v3:code/@code='DE05.01.024.00'][v3:value/@code]" mode="diagnosis"/>
    <xsl:apply-templates select=".//v3:section/v3:entry/v3:substanceAdministration"/>
    <xsl:apply-templates select=".//v3:section/v3:entry/v3:procedure"/>
    <xsl:if test="/v3:ClinicalDocument/v3:code/@code='C0007'"><xsl:call-template name="lab"/></xsl:if>
    <xsl:if test="/v3:ClinicalDocument/v3:code/@code='C0006'"><xsl:call-template name="exam"/></xsl:if>
  </xsl:template>

  <!-- 诊断, with the code of its section: which of the visit's diagnoses count is the map's choice. -->
  <xsl:template match="v3:observation" mode="diagnosis">
    <诊断>
      <章节><xsl:value-of select="ancestor::v3:section[1]/v3:code/@code"/></章节>
      <代码><xsl:value-of select="v3:value/@code"/></代码>
      <代码系统><xsl:value-of select="v3:value/@codeSystem"/></代码系统>
      <名称>
        <xsl:choose>
          <xsl:when test="normalize-space(v3:value/@displayName)"><xsl:value-of select="v3:value/@displayName"/></xsl:when>
          <xsl:when test="normalize-space(v3:value)"><xsl:value-of select="normalize-space(v3:value)"/></xsl:when>
          <xsl:otherwise><xsl:value-of select="normalize-space(../../v3:component/v3:observation[v3:code/@code='DE05.01.025.00']/v3:value)"/></xsl:otherwise>
        </xsl:choose>
      </名称>
    </诊断>
  </xsl:template>

  <xsl:template match="v3:substanceAdministration">
    <xsl:variable name="drug" select="v3:consumable/v3:manufacturedProduct/v3:manufacturedLabeledDrug"/>
    <药品>
      <序号><xsl:value-of select="count(../preceding-sibling::v3:entry/v3:substanceAdministration) + 1"/></序号>
      <代码><xsl:value-of select="$drug/v3:code/@code"/></代码>
      <名称><xsl:value-of select="normalize-space($drug/v3:name)"/></名称>
      <剂量><xsl:value-of select="v3:doseQuantity/@value"/></剂量>
      <剂量单位><xsl:value-of select="v3:doseQuantity/@unit"/></剂量单位>
      <途径代码><xsl:value-of select="v3:routeCode/@code"/></途径代码>
      <途径代码系统><xsl:value-of select="v3:routeCode/@codeSystem"/></途径代码系统>
      <途径><xsl:value-of select="v3:routeCode/@displayName"/></途径>
      <频率><xsl:value-of select="normalize-space(.//v3:observation[v3:code/@code='DE06.00.133.00']/v3:value)"/></频率>
      <天数><xsl:value-of select="ancestor::v3:section[1]//v3:observation[v3:code/@code='DE06.00.294.00']/v3:value/@value"/></天数>
    </药品>
  </xsl:template>

  <xsl:template match="v3:procedure">
    <手术>
      <序号><xsl:value-of select="count(../preceding-sibling::v3:entry/v3:procedure) + 1"/></序号>
      <代码><xsl:value-of select="v3:code/@code"/></代码>
      <代码系统><xsl:value-of select="v3:code/@codeSystem"/></代码系统>
      <名称>
        <xsl:choose>
          <xsl:when test="normalize-space(v3:code/@displayName)"><xsl:value-of select="v3:code/@displayName"/></xsl:when>
          <xsl:otherwise><xsl:value-of select="normalize-space(.//v3:observation[v3:code/@code='DE06.00.094.00']/v3:value)"/></xsl:otherwise>
        </xsl:choose>
      </名称>
      <开始><xsl:value-of select="v3:effectiveTime/v3:low/@value"/></开始>
      <结束><xsl:value-of select="v3:effectiveTime/v3:high/@value"/></结束>
      <过程><xsl:value-of select="normalize-space(//v3:observation[v3:code/@code='DE05.10.063.00']/v3:value)"/></过程>
      <麻醉代码><xsl:value-of select="//v3:observation[v3:code/@code='DE06.00.073.00']/v3:value/@code"/></麻醉代码>
      <麻醉代码系统><xsl:value-of select="//v3:observation[v3:code/@code='DE06.00.073.00']/v3:value/@codeSystem"/></麻醉代码系统>
      <麻醉名称><xsl:value-of select="//v3:observation[v3:code/@code='DE06.00.073.00']/v3:value/@displayName"/></麻醉名称>
      <医生工号><xsl:value-of select="v3:performer[1]/v3:assignedEntity/v3:id/@extension"/></医生工号>
      <医生姓名><xsl:value-of select="normalize-space(v3:performer[1]/v3:assignedEntity/v3:assignedPerson/v3:name)"/></医生姓名>
    </手术>
  </xsl:template>

  <xsl:template name="lab">
    <xsl:variable name="panel" select=".//v3:observation[v3:code/@code='DE04.30.018.00']/v3:value"/>
    <检验>
      <组套代码><xsl:value-of select="$panel/@code"/></组套代码>
      <组套名称><xsl:value-of select="$panel/@displayName"/></组套名称>
      <结论><xsl:value-of select=".//v3:observation[v3:code/@code='DE04.50.130.00']/v3:value"/></结论>
      <xsl:for-each select=".//v3:section[v3:code/@code='30954-2']/v3:entry/v3:organizer">
        <xsl:variable name="item" select="v3:component/v3:observation[v3:code/@code='DE04.30.019.00']"/>
        <xsl:variable name="found" select="v3:component/v3:observation[v3:code/@code='DE04.30.015.00' or v3:code/@code='DE04.30.017.00'][1]"/>
        <结果>
          <代码><xsl:value-of select="$item/v3:value/@code"/></代码>
          <名称><xsl:value-of select="$item/v3:value/@displayName"/></名称>
          <时间><xsl:value-of select="$item/v3:effectiveTime/@value | $item/v3:effectiveTime/v3:low/@value"/></时间>
          <值>
            <xsl:choose>
              <xsl:when test="$found/v3:value/@value"><xsl:value-of select="$found/v3:value/@value"/></xsl:when>
              <xsl:when test="normalize-space($found/v3:value/@displayName)"><xsl:value-of select="$found/v3:value/@displayName"/></xsl:when>
              <xsl:when test="normalize-space($found/v3:value)"><xsl:value-of select="$found/v3:value"/></xsl:when>
              <xsl:otherwise><xsl:value-of select="$found/v3:value/@code"/></xsl:otherwise>
            </xsl:choose>
          </值>
          <单位>
            <xsl:choose>
              <xsl:when test="$found/v3:value/@unit"><xsl:value-of select="$found/v3:value/@unit"/></xsl:when>
              <xsl:otherwise><xsl:value-of select="$found//v3:observation[v3:code/@code='DE04.30.016.00']/v3:value"/></xsl:otherwise>
            </xsl:choose>
          </单位>
          <标志><xsl:value-of select="$found/v3:interpretationCode/@code"/></标志>
          <参考范围><xsl:value-of select="normalize-space($found/v3:referenceRange/v3:observationRange/v3:text)"/></参考范围>
        </结果>
      </xsl:for-each>
    </检验>
  </xsl:template>

  <xsl:template name="exam">
    <xsl:variable name="item" select=".//v3:observation[v3:code/@code='DE04.30.019.00']/v3:value"/>
    <检查>
      <项目代码><xsl:value-of select="$item/@code"/></项目代码>
      <项目名称><xsl:value-of select="$item/@displayName"/></项目名称>
      <类别><xsl:value-of select=".//v3:observation[v3:code/@code='DE04.30.018.00']/v3:value/@code"/></类别>
      <所见><xsl:value-of select=".//v3:observation[v3:code/@code='DE04.50.131.00']/v3:value"/></所见>
      <提示><xsl:value-of select=".//v3:observation[v3:code/@code='DE04.50.132.00']/v3:value"/></提示>
    </检查>
  </xsl:template>
</xsl:stylesheet>
